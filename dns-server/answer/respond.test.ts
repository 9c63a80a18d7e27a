import { describe, expect, test } from 'vitest';
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import { parseIp } from '../geo/ip-address.ts';
import { preparePlan } from '../plan/prepare.ts';
import { type Asked, decode, lines, optOf, queryBytes, scopeIn } from '../testing/ask.ts';
import { TEST_NOW, testResponder } from '../testing/responder.ts';
import { published, readyTable, testDomain, testNode, testPlan } from '../testing/routing-plan.ts';
import { ResponseWriter } from '../wire/response.ts';
import { type Responder, respond, type Transport } from './respond.ts';
import { createView } from './view.ts';

interface Setting {
  plan?: RoutingPlan;
  table?: NodeTable;
  health?: HealthReport['nodes'];
  source?: string;
  transport?: Transport;
  responder?: Partial<Responder>;
}

const writer = new ResponseWriter(65_535);

function send(message: Buffer, setting: Setting = {}): Buffer | undefined {
  const { plan = testPlan(), table = readyTable(plan), health = [], transport = 'udp' } = setting;
  const view = createView(preparePlan(published(plan)), table, health);
  const source = parseIp(setting.source ?? '8.8.8.8');
  if (source === undefined) throw new Error('source');
  const { length } = respond(
    testResponder({ view, ...setting.responder }),
    message,
    source,
    transport,
    writer,
    TEST_NOW,
  );
  return length === 0 ? undefined : Buffer.from(writer.buffer.subarray(0, length));
}

function ask(name: string, asked: Asked = {}, setting: Setting = {}) {
  const answer = send(queryBytes(name, asked), setting);
  if (answer === undefined) throw new Error('silence');
  return decode(answer);
}

const VIDEO = 'video.demo.cdn.example.net';
const SOA_DATA = JSON.stringify({
  mname: 'ns1.cdn.example.net',
  rname: 'hostmaster.example.net',
  serial: 3 * 2 ** 22 + 7,
  refresh: 3_600,
  retry: 600,
  expire: 1_209_600,
  minimum: 60,
});

describe('the zone', () => {
  test('has an SOA whose serial is made from the revision', () => {
    const { answers, flag_aa } = ask('cdn.example.net', { type: 'SOA' });
    expect({ lines: lines(answers), flag_aa }).toEqual({ lines: [`SOA ${SOA_DATA} 3600`], flag_aa: true });
  });

  test('has its name servers, with addresses of those inside it', () => {
    const { answers, additionals } = ask('cdn.example.net', { type: 'NS' });
    expect(lines(answers)).toEqual(['NS ns1.cdn.example.net 3600', 'NS ns.example.org 3600']);
    expect(lines(additionals)).toEqual(['A 192.0.2.53 3600', 'AAAA 2001:db8::53 3600']);
  });

  test('answers for the names of its name servers and nodes, whatever their health', () => {
    const health = [
      { node: 'zz-1', addresses: [{ address: '198.51.100.5', healthy: false, detail: 'ECONNREFUSED' }] },
    ];
    expect(lines(ask('ns1.cdn.example.net').answers)).toEqual(['A 192.0.2.53 3600']);
    expect(lines(ask('zz-1.node.cdn.example.net', {}, { health }).answers)).toEqual(['A 198.51.100.5 60']);
    expect(lines(ask('zz-1.node.cdn.example.net', { type: 'AAAA' }).answers)).toEqual([
      'AAAA 2001:db8:5::1 60',
    ]);
  });

  test.each([
    ['nope.cdn.example.net', 'A', 'NXDOMAIN'],
    ['a.b.c.cdn.example.net', 'TXT', 'NXDOMAIN'],
    ['below.video.demo.cdn.example.net', 'A', 'NXDOMAIN'],
    ['nope.cdn.example.net', 'ANY', 'NXDOMAIN'],
    ['demo.cdn.example.net', 'A', 'NOERROR'],
    ['node.cdn.example.net', 'AAAA', 'NOERROR'],
    ['demo.cdn.example.net', 'ANY', 'NOERROR'],
    ['cdn.example.net', 'A', 'NOERROR'],
    [VIDEO, 'TXT', 'NOERROR'],
    ['zz-2.node.cdn.example.net', 'AAAA', 'NOERROR'],
  ])('%s %s is a negative answer with %s and the SOA', (name, type, rcode) => {
    const answer = ask(name, { type });
    expect({ rcode: answer.rcode, aa: answer.flag_aa, answers: answer.answers }).toEqual({
      rcode,
      aa: true,
      answers: [],
    });
    expect(lines(answer.authorities)).toEqual([`SOA ${SOA_DATA} 60`]);
    expect(answer.authorities?.[0]?.name).toBe('cdn.example.net');
  });

  test('sends nothing but REFUSED for names outside it, with EDE 20 where EDNS is there', () => {
    const plain = ask('example.com');
    expect([plain.rcode, plain.flag_aa, plain.additionals]).toEqual(['REFUSED', false, []]);
    const edns = optOf(ask('example.com', { edns: {} }));
    expect(edns?.options.map(({ code, data }) => [code, data?.toString('hex')])).toEqual([[15, '0014']]);
  });

  test.each([
    ['AXFR', 'IN'],
    ['IXFR', 'IN'],
    ['SOA', 'CH'],
    ['A', 'ANY'],
  ])('refuses %s in class %s', (type, kind) => {
    expect(ask('cdn.example.net', { type, class: kind }).rcode).toBe('REFUSED');
  });

  test('answers ANY with HINFO (RFC 8482)', () => {
    const { answers } = ask(VIDEO, { type: 'ANY' });
    expect(lines(answers)).toEqual([`HINFO ${JSON.stringify({ cpu: 'RFC8482', os: '' })} 3600`]);
  });
});

describe('a domain', () => {
  const addresses = (answer: ReturnType<typeof ask>) =>
    lines(answer.answers)
      .map((line) => line.split(' ')[1] ?? '')
      .sort();

  test.each([
    ['202.102.224.68', 'its province', ['198.51.100.5', '198.51.100.6']],
    ['202.106.0.20', 'another province', ['198.51.100.1', '198.51.100.2']],
    ['61.128.128.68', 'its country', ['198.51.100.5', '198.51.100.6']],
    ['9.9.9.9', 'the default region', ['198.51.100.3', '198.51.100.4']],
    ['10.1.3.3', 'a CIDR member', ['198.51.100.1', '198.51.100.2']],
    ['10.1.2.3', 'a longer CIDR member', ['198.51.100.3', '198.51.100.4']],
    ['::ffff:202.106.0.20', 'its province, mapped into IPv6', ['198.51.100.1', '198.51.100.2']],
    ['240e::1', 'its province, by IPv6', ['198.51.100.1', '198.51.100.2']],
  ])('is answered to %s by %s', (source, _, expected) => {
    const answer = ask(VIDEO, {}, { source });
    expect(addresses(answer)).toEqual(expected);
    expect(answer.answers?.every((record) => 'ttl' in record && record.ttl === 60)).toBe(true);
  });

  test('is answered to the network that the resolver names, not to the resolver', () => {
    const answer = ask(VIDEO, { subnet: '202.106.0.0/24' }, { source: '8.8.8.8' });
    expect(addresses(answer)).toEqual(['198.51.100.1', '198.51.100.2']);
  });

  test('has the question’s own case in its answer', () => {
    const bytes = send(queryBytes('ViDeO.DEMO.cdn.Example.NET'));
    expect(decode(bytes ?? Buffer.alloc(0)).questions?.[0]?.name).toBe('ViDeO.DEMO.cdn.Example.NET');
    expect(addresses(ask('VIDEO.demo.CDN.example.net'))).toHaveLength(2);
  });

  test('names the same nodes for A and AAAA, and a node without IPv6 adds nothing', () => {
    expect(addresses(ask(VIDEO, { type: 'AAAA' }, { source: '202.102.0.1' }))).toEqual(['2001:db8:5::1']);
  });

  test('has no address, for 5 s, before a node serves it', () => {
    const plan = testPlan();
    const rows = readyTable(plan).rows.map((row) => ({ ...row, acked: { epoch: 3, seq: 4 } }));
    const table = { version: { epoch: 3, seq: 1 }, rows };
    for (const waiting of [table, { ...table, rows: [] }]) {
      const answer = ask(VIDEO, {}, { plan, table: waiting });
      expect([answer.rcode, answer.answers]).toEqual(['NOERROR', []]);
      expect(lines(answer.authorities)).toEqual([`SOA ${SOA_DATA} 5`]);
    }
  });

  test('does not fit into a small answer: TC, none of it, and all of it over TCP', () => {
    const nodes = Array.from({ length: 40 }, (_, index) =>
      testNode(`n-${index}`, 'us-west', { addresses: [`198.51.100.${index}`] }),
    );
    const plan = testPlan({ nodes, domains: [testDomain({ answers: 40 })] });
    const small = ask(VIDEO, {}, { plan });
    expect([small.flag_tc, small.answers, small.authorities]).toEqual([true, [], []]);
    expect(ask(VIDEO, {}, { plan, transport: 'tcp' }).answers).toHaveLength(40);
    expect(ask(VIDEO, { edns: { udpPayloadSize: 4_096 } }, { plan }).answers).toHaveLength(40);
    const cut = send(queryBytes(VIDEO, { edns: { udpPayloadSize: 513 } }), { plan });
    expect(cut?.length).toBeLessThanOrEqual(513);
    expect(optOf(decode(cut ?? Buffer.alloc(0)))).toBeDefined();
  });
});

describe('EDNS', () => {
  test('is in the answer when it was in the query, and only then', () => {
    expect(ask(VIDEO).additionals).toEqual([]);
    expect(optOf(ask(VIDEO, { edns: {} }))).toMatchObject({ udpPayloadSize: 1_232, ednsVersion: 0 });
  });

  test('repeats DO and nothing else of the flags', () => {
    const flags = (asked: number) => optOf(ask(VIDEO, { edns: { flags: asked } })) as { flags?: number };
    expect([flags(0x8000).flags, flags(0x7fff).flags]).toEqual([0x8000, 0]);
  });

  test('of a later version is BADVERS, with ours', () => {
    const answer = ask(VIDEO, { edns: { ednsVersion: 1 } });
    expect(answer.answers).toEqual([]);
    expect(optOf(answer)).toMatchObject({ extendedRcode: 1, ednsVersion: 0 });
    expect(answer.rcode).toBe('NOERROR');
  });

  test('options that are unknown are passed over', () => {
    const options = [{ code: 65_001, data: Buffer.from('x') }];
    expect(optOf(ask(VIDEO, { edns: { options } }))?.options).toEqual([]);
  });
});

describe('the client’s subnet', () => {
  test.each([
    // 202.102/16 is one leaf, but its nodes are shared out in units of /20.
    ['202.102.224.0/24', 20],
    ['202.102.224.68/32', 20],
    ['240e::/32', 40],
    // The longest CIDR member, and where a longer one parts from it.
    ['10.1.2.0/24', 24],
    ['10.1.128.0/24', 20],
    ['10.1.3.0/24', 24],
    ['0.0.0.0/0', 0],
    ['::/0', 0],
    ['::ffff:202.102.224.0/120', 116],
  ])('%s comes back with the scope %i', (subnet, scope) => {
    const answer = ask(VIDEO, { subnet });
    expect(scopeIn(answer)).toBe(scope);
    const sent = optOf(answer)?.options[0];
    expect(sent?.sourcePrefixLength).toBe(Number(subnet.split('/')[1]));
  });

  test('is not sent to who did not send it', () => {
    expect(optOf(ask(VIDEO, { edns: {} }))?.options).toEqual([]);
  });

  test.each([
    ['cdn.example.net', 'SOA'],
    ['zz-1.node.cdn.example.net', 'A'],
    ['nope.cdn.example.net', 'A'],
    [VIDEO, 'TXT'],
  ])('does not matter to %s %s: scope 0', (name, type) => {
    expect(scopeIn(ask(name, { type, subnet: '202.102.224.0/24' }))).toBe(0);
  });

  test('does not matter where one node answers everybody', () => {
    const plan = testPlan({ nodes: [testNode('la-1', 'us-west')] });
    expect(scopeIn(ask(VIDEO, { subnet: '202.102.224.0/24' }, { plan }))).toBe(0);
  });

  test('is the whole leaf where one node of the region can answer', () => {
    const nodes = [testNode('bj-1', 'cn-north'), testNode('zz-1', 'cn-central')];
    const answer = ask(VIDEO, { subnet: '202.102.224.0/24' }, { plan: testPlan({ nodes }) });
    expect(scopeIn(answer)).toBe(16);
  });
});

describe('what is no good query', () => {
  const HEADER = '12340100000100000000000000';
  const good = () => queryBytes(VIDEO, { subnet: '202.102.224.0/24' });
  const changed = (change: (message: Buffer) => Buffer | undefined) => {
    const message = good();
    return change(message) ?? message;
  };
  const setWord = (at: number, value: number) => changed((message) => void message.writeUInt16BE(value, at));
  /** The query with this as the data of its one EDNS option. */
  const withSubnet = (hex: string, name = VIDEO) => {
    const data = Buffer.from(hex, 'hex');
    return queryBytes(name, { edns: { options: [{ code: 8, data }] } });
  };

  test.each<[string, Buffer, string]>([
    ['no question', setWord(4, 0), 'FORMERR'],
    ['two questions', setWord(4, 2), 'FORMERR'],
    ['a name that does not end', Buffer.from(`${HEADER.slice(0, 24)}3f616263`, 'hex'), 'FORMERR'],
    ['a pointer in the question', Buffer.from(`${HEADER.slice(0, 24)}c00c00010001`, 'hex'), 'FORMERR'],
    ['a question without its class', Buffer.from(`${HEADER.slice(0, 24)}0161000001`, 'hex'), 'FORMERR'],
    ['a record that is not there', setWord(10, 2), 'FORMERR'],
    ['bytes behind the last record', changed((message) => Buffer.concat([message, Buffer.of(0)])), 'FORMERR'],
    ['a cut OPT', changed((message) => message.subarray(0, -1)), 'FORMERR'],
    ['a question for OPT', queryBytes(VIDEO, { type: 'OPT' }), 'FORMERR'],
    ['NOTIFY', setWord(2, 4 << 11), 'NOTIMP'],
    ['UPDATE', setWord(2, 5 << 11), 'NOTIMP'],
    ['an unknown opcode', setWord(2, 15 << 11), 'NOTIMP'],
    ['ECS of family 3', withSubnet('00031800cb0071'), 'FORMERR'],
    ['ECS with a scope', withSubnet('00011818cb0071'), 'FORMERR'],
    ['ECS with bits behind the prefix', withSubnet('00011700cb0071'), 'FORMERR'],
    ['ECS with a prefix too long', withSubnet('00012100cb00710101'), 'FORMERR'],
    ['ECS with bytes too few', withSubnet('00011800cb00'), 'FORMERR'],
    ['ECS with bytes too many', withSubnet('00011800cb007100'), 'FORMERR'],
    ['ECS without data', withSubnet(''), 'FORMERR'],
  ])('%s gets %s', (_, message, rcode) => {
    const answer = send(message);
    expect(answer && decode(answer).rcode).toBe(rcode);
    expect(answer?.readUInt16BE(0)).toBe(message.readUInt16BE(0));
  });

  test.each<[string, Buffer]>([
    ['ECS is bad', withSubnet('00031800cb0071')],
    ['the opcode is', setWord(2, 5 << 11)],
    ['the question is', queryBytes(VIDEO, { type: 'OPT', edns: {} })],
  ])('has OPT in its error, where %s', (_, message) => {
    const answer = decode(send(message) ?? Buffer.alloc(0));
    expect(optOf(answer)?.udpPayloadSize).toBe(1_232);
    expect(answer.questions).toHaveLength(1);
  });

  test.each<[string, Buffer]>([
    ['a response', setWord(2, 0x8000)],
    ['eleven bytes', good().subarray(0, 11)],
    ['nothing', Buffer.alloc(0)],
  ])('%s gets silence', (_, message) => {
    expect(send(message)).toBeUndefined();
  });
});

test('before the first plan every name is refused, with EDE 14', () => {
  const source = parseIp('8.8.8.8');
  if (source === undefined) throw new Error('source');
  const query = queryBytes(VIDEO, { edns: {} });
  const { length } = respond(testResponder(), query, source, 'udp', writer, TEST_NOW);
  const answer = decode(Buffer.from(writer.buffer.subarray(0, length)));
  expect(answer.rcode).toBe('REFUSED');
  expect(optOf(answer)?.options.map(({ code, data }) => [code, data?.toString('hex')])).toEqual([
    [15, '000e'],
  ]);
});
