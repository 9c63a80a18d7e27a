import { describe, expect, test } from 'vitest';
import { answering, planWithRecords, recordOf } from '../testing/answering.ts';
import { lines, queryBytes } from '../testing/ask.ts';
import { testDomain } from '../testing/routing-plan.ts';
import { RECORDS } from '../testing/zone-records.ts';

const ZONE = 'cdn.example.net';

const { ask, send } = answering(
  planWithRecords([
    ...RECORDS,
    'to-video CNAME video.demo.cdn.example.net.',
    'loop-a CNAME loop-b',
    'loop-b CNAME loop-a',
    'hidden.sub TXT no',
    'to-sub CNAME x.sub.cdn.example.net.',
    'below.old TXT no',
    'long TXT x',
  ]),
);

/** All that a client sees of an answer, but for its id. */
function seen(name: string, type = 'A') {
  const { rcode, flag_aa: aa, answers, authorities, additionals } = ask(name, { type });
  const named = (records: unknown[] | undefined) =>
    (records ?? []).map((record, index) => `${(record as { name: string }).name} ${lines(records)[index]}`);
  return {
    rcode,
    aa,
    answers: named(answers),
    authorities: named(authorities),
    additionals: named(additionals),
  };
}

const SOA = expect.stringMatching(/^cdn\.example\.net SOA .* 60$/);

describe('static records', () => {
  test.each<[string, string, string[], string[]]>([
    ['www', 'A', ['www.cdn.example.net A 192.0.2.7 60', 'www.cdn.example.net A 192.0.2.8 60'], []],
    ['www', 'AAAA', ['www.cdn.example.net AAAA 2001:db8::7 300'], []],
    ['ptr', 'PTR', ['ptr.cdn.example.net PTR host.example.org 300'], []],
    [
      '_sip._tcp',
      'SRV',
      [
        '_sip._tcp.cdn.example.net SRV {"priority":1,"weight":2,"port":5060,"target":"www.cdn.example.net"} 300',
      ],
      [
        'www.cdn.example.net A 192.0.2.7 60',
        'www.cdn.example.net A 192.0.2.8 60',
        'www.cdn.example.net AAAA 2001:db8::7 300',
      ],
    ],
  ])('%s %s', (name, type, answers, additionals) => {
    expect(seen(`${name}.${ZONE}`, type)).toEqual({
      rcode: 'NOERROR',
      aa: true,
      answers,
      authorities: [],
      additionals,
    });
  });

  test('that name one host twice come with its addresses once (RFC 2181 5)', () => {
    const twice = answering(
      planWithRecords(['_a._tcp SRV 1 2 80 www', '_a._tcp SRV 1 2 81 www', 'www A 192.0.2.7']),
    );
    const { answers, additionals } = twice.ask(`_a._tcp.${ZONE}`, { type: 'SRV' });
    expect([answers?.length, lines(additionals)]).toEqual([2, ['A 192.0.2.7 300']]);
  });

  test('at the zone itself stand beside SOA and NS', () => {
    expect(seen(ZONE, 'MX')).toMatchObject({
      answers: [
        `${ZONE} MX {"preference":10,"exchange":"mail.cdn.example.net"} 300`,
        `${ZONE} MX {"preference":20,"exchange":"mail.example.org"} 300`,
      ],
      additionals: ['mail.cdn.example.net A 192.0.2.25 300'],
    });
    expect(seen(ZONE, 'TXT').answers).toHaveLength(1);
    expect(seen(ZONE, 'CAA').answers).toHaveLength(1);
    expect(seen(ZONE, 'NS').answers).toHaveLength(2);
  });

  test.each(['er.still', 'still', '_tcp'])('%s is there because of a longer name: NODATA', (name) => {
    const { rcode, authorities, answers } = seen(`${name}.${ZONE}`);
    expect([rcode, answers, authorities]).toEqual(['NOERROR', [], [SOA]]);
  });
});

describe('aliases', () => {
  test('are followed inside the zone, with the TTL of each', () => {
    expect(seen(`twice.${ZONE}`).answers).toEqual([
      `twice.${ZONE} CNAME alias.${ZONE} 300`,
      `alias.${ZONE} CNAME www.${ZONE} 120`,
      `www.${ZONE} A 192.0.2.7 60`,
      `www.${ZONE} A 192.0.2.8 60`,
    ]);
  });

  test('are answered as they are when they are asked for', () => {
    expect(seen(`twice.${ZONE}`, 'CNAME').answers).toEqual([`twice.${ZONE} CNAME alias.${ZONE} 300`]);
  });

  test('lead to a domain’s addresses, chosen for the client', () => {
    const { answers } = ask(`to-video.${ZONE}`, {}, { source: '202.106.0.20' });
    expect(
      lines(answers)
        .map((line) => line.split(' ')[1] ?? '')
        .toSorted((a, b) => (a < b ? -1 : 1)),
    ).toEqual(['198.51.100.1', '198.51.100.2', 'video.demo.cdn.example.net']);
    expect(send(queryBytes(`to-video.${ZONE}`)).domain?.label).toBe('demo/video');
  });

  test('to a name outside end there', () => {
    expect(seen(`outside.${ZONE}`)).toEqual({
      rcode: 'NOERROR',
      aa: true,
      answers: [`outside.${ZONE} CNAME www.example.org 300`],
      authorities: [],
      additionals: [],
    });
  });

  test('to a name that does not exist are NXDOMAIN behind the alias (RFC 6604)', () => {
    const { rcode, answers, authorities } = seen(`nowhere.${ZONE}`);
    expect([rcode, answers.length, authorities]).toEqual(['NXDOMAIN', 1, [SOA]]);
  });

  test('to a name without the type are NODATA behind the alias (RFC 2308 2.2)', () => {
    const { rcode, answers, authorities } = seen(`alias.${ZONE}`, 'TXT');
    expect([rcode, answers.length, authorities]).toEqual(['NOERROR', 1, [SOA]]);
  });

  test('that go round are answered once each', () => {
    expect(seen(`loop-a.${ZONE}`).answers).toHaveLength(2);
  });
});

describe('wildcards (RFC 4592)', () => {
  test.each<[string, string, string, number]>([
    ['x.wild', 'TXT', 'NOERROR', 1],
    ['x.y.wild', 'A', 'NOERROR', 1],
    ['exact.wild', 'TXT', 'NOERROR', 1],
    ['*.wild', 'TXT', 'NOERROR', 1],
    // The name exists, and so does the one between: the wildcard is not for them, nor for names below.
    ['exact.wild', 'A', 'NOERROR', 0],
    ['b.wild', 'TXT', 'NOERROR', 0],
    ['x.b.wild', 'TXT', 'NXDOMAIN', 0],
    ['below.exact.wild', 'TXT', 'NXDOMAIN', 0],
    ['x.wild', 'MX', 'NOERROR', 0],
    ['wild', 'TXT', 'NOERROR', 0],
    ['x.aliased', 'AAAA', 'NOERROR', 2],
  ])('%s %s is %s with %i records', (name, type, rcode, count) => {
    const answer = seen(`${name}.${ZONE}`, type);
    expect([answer.rcode, answer.answers.length]).toEqual([rcode, count]);
    expect(answer.authorities).toEqual(count === 0 ? [SOA] : []);
    if (count > 0) expect(answer.answers[0]).toMatch(`${name}.${ZONE} `);
  });
});

describe('delegations', () => {
  const referral = {
    rcode: 'NOERROR',
    aa: false,
    answers: [],
    authorities: [`sub.${ZONE} NS ns.example.org 300`, `sub.${ZONE} NS ns.sub.${ZONE} 300`],
    additionals: [`ns.sub.${ZONE} A 192.0.2.54 300`, `ns.sub.${ZONE} AAAA 2001:db8::54 300`],
  };

  test.each([
    ['sub', 'NS'],
    ['sub', 'A'],
    ['x.y.sub', 'A'],
    ['ns.sub', 'A'],
    ['hidden.sub', 'TXT'],
  ])('%s %s is a referral with glue', (name, type) => {
    const answer = seen(`${name}.${ZONE}`, type);
    expect({ ...answer, authorities: answer.authorities.sort() }).toEqual(referral);
  });

  test('the DS is answered here: there is none (RFC 4035 3.1.4.1)', () => {
    const { aa, answers, authorities } = seen(`sub.${ZONE}`, 'DS');
    expect([aa, answers, authorities]).toEqual([true, [], [SOA]]);
  });

  test('behind an alias the referral follows, and the answer stays authoritative', () => {
    const { aa, answers, authorities } = seen(`to-sub.${ZONE}`);
    expect([aa, answers.length, authorities.length]).toEqual([true, 1, 2]);
  });

  test('glue that does not fit sends the client to TCP (RFC 9471)', () => {
    const glue = Array.from({ length: 40 }, (_, index) => `ns${index}.sub`);
    const many = answering(
      planWithRecords(
        glue.flatMap((name, index) => [`sub NS ${name}.${ZONE}.`, `${name} A 192.0.2.${index}`]),
      ),
    );
    expect(many.ask(`x.sub.${ZONE}`, { edns: {} })).toMatchObject({ flag_tc: true, authorities: [] });
    expect(many.ask(`x.sub.${ZONE}`, {}, { transport: 'tcp' }).additionals).toHaveLength(40);
  });
});

describe('DNAME (RFC 6672)', () => {
  test('is answered with the CNAME that it means, and followed', () => {
    expect(seen(`a.old.${ZONE}`).answers).toEqual([
      `old.${ZONE} DNAME {} 600`.replace(' {}', ' new.cdn.example.net'),
      `a.old.${ZONE} CNAME a.new.${ZONE} 600`,
      `a.new.${ZONE} A 192.0.2.70 300`,
    ]);
  });

  test('covers what stands below it, not its own name', () => {
    expect(seen(`below.old.${ZONE}`, 'TXT').answers[0]).toMatch(/DNAME/);
    expect(seen(`old.${ZONE}`, 'A')).toMatchObject({ answers: [], authorities: [SOA] });
  });

  test('ends with the CNAME where that is asked for', () => {
    for (const name of ['a.old', 'nope.old'])
      expect(seen(`${name}.${ZONE}`, 'CNAME')).toMatchObject({
        rcode: 'NOERROR',
        answers: [expect.stringMatching(/DNAME/), expect.stringMatching(/CNAME/)],
        authorities: [],
      });
  });

  test('that a chain comes by again is there once (RFC 2181 5)', () => {
    expect(seen(`again.old.${ZONE}`).answers.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      `old.${ZONE} DNAME`,
      `again.old.${ZONE} CNAME`,
      `again.new.${ZONE} CNAME`,
      `a.old.${ZONE} CNAME`,
      `a.new.${ZONE} A`,
    ]);
  });

  test('to a name that would be too long is YXDOMAIN', () => {
    const label = 'x'.repeat(60);
    const long = answering(planWithRecords([`s DNAME ${label}.${label}.${label}.example.org.`]));
    const { rcode, answers } = long.ask(`${label}.s.${ZONE}`);
    expect([rcode, answers?.length]).toEqual(['YXDOMAIN', 1]);
  });
});

describe('names that are claimed twice', () => {
  test('a domain’s target wins over static addresses, other types stay', () => {
    const both = answering(planWithRecords(['video.demo A 192.0.2.200', 'video.demo TXT kept']));
    const addresses = lines(both.ask(`video.demo.${ZONE}`).answers);
    expect(addresses.some((line) => line.includes('192.0.2.200'))).toBe(false);
    expect(lines(both.ask(`video.demo.${ZONE}`, { type: 'TXT' }).answers)).toHaveLength(1);
  });

  test('a hostname that is the zone’s own name is answered there, with A and AAAA', () => {
    const plan = planWithRecords(['@ TXT kept']);
    const apex = answering({ ...plan, domains: [testDomain({ hostnames: [ZONE, `shop.${ZONE}`] })] });
    for (const name of [ZONE, `shop.${ZONE}`]) {
      expect(
        lines(apex.ask(name, {}, { source: '202.106.0.20' }).answers)
          .map((line) => line.slice(2))
          .sort(),
      ).toEqual(['198.51.100.1 60', '198.51.100.2 60']);
      expect(apex.ask(name, { type: 'AAAA' }, { source: '202.106.0.20' }).answers).toHaveLength(1);
    }
    expect(lines(apex.ask(ZONE, { type: 'SOA' }).answers)).toHaveLength(1);
  });

  test('a hostname takes no name that has addresses already: a name server’s, a node’s, another’s target', () => {
    const names = [`ns1.${ZONE}`, `zz-1.node.${ZONE}`, `www.${ZONE}`];
    const plan = planWithRecords(['www A 192.0.2.7']);
    const thief = answering({ ...plan, domains: [testDomain({ hostnames: names })] });
    expect(names.map((name) => send(queryBytes(name)).domain)).toEqual([undefined, undefined, undefined]);
    expect(lines(thief.ask(`ns1.${ZONE}`).answers)).toEqual(['A 192.0.2.53 3600']);
  });
});

describe('several zones', () => {
  const child = {
    ...planWithRecords([]).zones[0],
    name: `child.${ZONE}`,
    records: [recordOf('www A 192.0.2.80', `child.${ZONE}`)],
  };
  const other = { ...child, name: 'example.org', records: [recordOf('@ A 192.0.2.90', 'example.org')] };
  const both = answering(
    planWithRecords(['child NS ns1.cdn.example.net.', `child DS 4711 13 2 ${'AB'.repeat(32)}`], [
      child,
      other,
    ] as never),
  );

  test('each answers for its own names', () => {
    expect(lines(both.ask('example.org').answers)).toEqual(['A 192.0.2.90 300']);
    expect(lines(both.ask(`www.child.${ZONE}`).answers)).toEqual(['A 192.0.2.80 300']);
    expect(both.ask(`child.${ZONE}`, { type: 'SOA' }).answers?.[0]?.name).toBe(`child.${ZONE}`);
    expect(both.ask(`nope.child.${ZONE}`).authorities?.[0]?.name).toBe(`child.${ZONE}`);
  });

  test('a domain that has no address is denied at a hostname for as long as the SOA there says (RFC 2308 3)', () => {
    const brief = { ...child, name: 'shop.example', negativeTtl: 7, records: [] };
    const plan = planWithRecords([], [brief] as never);
    const nodes = plan.nodes.map((node) => ({ ...node, addresses: ['198.51.100.1'] }));
    const domains = [testDomain({ hostnames: [brief.name] })];
    const { ask: askShop } = answering({ ...plan, nodes, domains });
    const ttl = (name: string) =>
      askShop(name, { type: 'AAAA' }).authorities?.map((soa) => 'ttl' in soa && soa.ttl);
    expect([ttl(`video.demo.${ZONE}`), ttl(brief.name)]).toEqual([[60], [7]]);
  });

  test('names between two, one in the other, exist: NODATA, and no wildcard is for them (RFC 8020, 4592)', () => {
    const inner = { ...child, name: `inner.be.tween.${ZONE}`, records: [] };
    const { ask: askNested } = answering(planWithRecords(['* TXT any'], [inner] as never));
    const rcodes = [`be.tween.${ZONE}`, `tween.${ZONE}`, `x.be.tween.${ZONE}`].map((name) => {
      const { rcode, answers, authorities } = askNested(name, { type: 'TXT' });
      return [rcode, answers?.length, authorities?.[0]?.name];
    });
    expect(rcodes).toEqual([
      ['NOERROR', 0, ZONE],
      ['NOERROR', 0, ZONE],
      ['NXDOMAIN', 0, ZONE],
    ]);
    expect(lines(askNested(`tweens.${ZONE}`, { type: 'TXT' }).answers)).toHaveLength(1);
    expect(askNested(`inner.be.tween.${ZONE}`, { type: 'SOA' }).answers).toHaveLength(1);
  });

  test('of two, one in the other, the outer one has the DS', () => {
    expect(both.ask(`child.${ZONE}`, { type: 'DS' }).answers).toHaveLength(1);
    expect(both.ask(`www.child.${ZONE}`, { type: 'DS' }).authorities?.[0]?.name).toBe(`child.${ZONE}`);
  });

  test('… unless it lies below a delegation to others, who have it', () => {
    const inner = { ...child, name: `inner.theirs.${ZONE}`, records: [] };
    const { ask: askNested } = answering(planWithRecords(['theirs NS ns.example.org.'], [inner] as never));
    expect(askNested(inner.name, { type: 'DS' })).toMatchObject({
      flag_aa: false,
      answers: [],
      authorities: [{ type: 'NS', name: `theirs.${ZONE}` }],
    });
    expect(askNested(inner.name, { type: 'SOA' })).toMatchObject({ flag_aa: true, answers: [{}] });
  });
});
