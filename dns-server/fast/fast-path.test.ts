/** Prepared answers are the ordinary ones, byte for byte, whatever is asked and whatever changes in between. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newZoneKey } from '../../contract/dns/zone-keys.ts';
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import { compiledPlaces, compileGeo } from '../geo/compile.ts';
import { geoRulesOf } from '../geo/geo-sources.ts';
import { parseIp } from '../geo/ip-address.ts';
import { preparePlan } from '../plan/prepare.ts';
import { type Asked, decode, lines, queryBytes } from '../testing/ask.ts';
import { published, readyTable, testDomain, testNode, testPlan } from '../testing/routing-plan.ts';
import { TWIN_DATA, TWIN_PLAN, twins } from '../testing/twins.ts';
import { rawRecords } from '../testing/verify-signatures.ts';
import { FastPath } from './fast-path.ts';
import { buildNameTable, findName, lower, numberOf } from './name-table.ts';
import type { Slots } from './slot.ts';

const SEED = 20_261_122;
const ANYBODY = { version: 4, bytes: Uint8Array.of(8, 8, 8, 8) } as const;

const name = fc.constantFrom(
  'video.demo.cdn.example.net',
  'ViDeO.dEmO.cdn.example.NET',
  'b.demo.cdn.example.net',
  'c.demo.cdn.example.net',
  'none.demo.cdn.example.net',
  'cdn.example.net',
);
const subnet = fc.constantFrom(
  '202.102.224.0/24',
  '202.102.0.0/17',
  '202.106.1.0/24',
  '61.1.2.0/24',
  '61.1.2.3/32',
  '8.8.8.0/24',
  '8.0.0.0/5',
  '10.1.2.0/24',
  '0.0.0.0/0',
  '240e::/32',
  '240e:0:1200::/40',
  '2001:db8:f::/48',
  '::ffff:8.8.8.8/128',
  '2001:db8::/1',
);
const asked: fc.Arbitrary<Asked & { flags: number }> = fc
  .record({
    type: fc.constantFrom('A', 'AAAA', 'TXT', 'ANY'),
    subnet: fc.option(subnet, { nil: undefined }),
    edns: fc.option(
      fc.record({
        udpPayloadSize: fc.constantFrom(0, 512, 600, 4_096),
        flags: fc.constantFrom(0, 0x8000, 1),
      }),
      {
        nil: undefined,
      },
    ),
    id: fc.nat(65_535),
    flags: fc.constantFrom(0, 0x0100, 0x0010, 0x0110, 0x0020, 0x0800),
  })
  .map(({ subnet: network, ...rest }) => (network === undefined ? rest : { ...rest, subnet: network }));

function message(question: string, { flags, ...rest }: Asked & { flags: number }): Buffer {
  const bytes = queryBytes(question, rest);
  bytes.writeUInt16BE(flags, 2);
  return bytes;
}

type Change = { table: NodeTable } | { health: HealthReport['nodes'] };
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.subarray(TWIN_PLAN.nodes).map((down) => ({
    health: down.map(({ name: node, addresses }) => ({
      node,
      addresses: addresses.map((address) => ({ address, healthy: false, detail: 'tested' })),
    })),
  })),
  fc.subarray(TWIN_PLAN.nodes).map((late) => {
    const table = readyTable(TWIN_PLAN);
    const names = new Set(late.map((node) => node.name));
    const rows = table.rows.map((row) =>
      names.has(row.node) ? { ...row, admitted: false, reason: 'Test' } : row,
    );
    return { table: { ...table, rows } };
  }),
);

const SHARED: RoutingPlan = {
  ...TWIN_PLAN,
  nodes: TWIN_PLAN.nodes.map((node) =>
    node.region === 'cn-north' ? { ...node, addresses: ['198.51.100.1', '2001:db8:1::1'] } : node,
  ),
};

test.each([
  ['their own', TWIN_PLAN],
  ['a load balancer', SHARED],
])('both paths give the same bytes: nodes with addresses of %s', (_, plan) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ name, asked, again: fc.nat(2), change: fc.option(change, { freq: 8 }) }), {
        maxLength: 40,
      }),
      fc.constantFrom('8.8.8.8', '202.102.224.68', '192.0.2.7', '240e::1', '::ffff:8.8.8.8'),
      (steps, source) => {
        const { fast, ordinary, each } = twins(plan);
        for (const step of steps) {
          const { change: news } = step;
          if (news && 'table' in news) each((service) => service.useTable(news.table));
          if (news && 'health' in news) each((service) => service.useHealth(news.health));
          const query = message(step.name, step.asked);
          // Once to learn, then as it was learnt.
          for (let time = 0; time <= step.again; time++) {
            expect(fast.ask(query, source)).toBe(ordinary.ask(query, source));
          }
        }
      },
    ),
    { seed: SEED, numRuns: 60 },
  );
});

test('a packet that was damaged anywhere is answered alike', () => {
  const { fast, ordinary } = twins(TWIN_PLAN);
  const sound = message('video.demo.cdn.example.net', { subnet: '202.102.224.0/24', flags: 0 });
  expect(fast.ask(sound, '8.8.8.8')).toBe(ordinary.ask(sound, '8.8.8.8'));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: -3, max: 3 }),
      (changes, more) => {
        const damaged = Buffer.alloc(sound.length + more);
        sound.copy(damaged);
        for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte;
        for (let time = 0; time < 2; time++)
          expect(fast.ask(damaged, '8.8.8.8')).toBe(ordinary.ask(damaged, '8.8.8.8'));
      },
    ),
    { seed: SEED, numRuns: 3_000 },
  );
});

describe('what is prepared', () => {
  const query = queryBytes('video.demo.cdn.example.net', { subnet: '202.102.224.0/24' });

  test('is used from the second time on, for every domain of the class, and counted like all else', async () => {
    const { fast } = twins(TWIN_PLAN);
    const places = ['202.102.224.68', '202.102.224.68', '202.102.225.1'];
    for (const source of places) fast.ask(queryBytes('video.demo.cdn.example.net'), source);
    const from = parseIp('202.102.1.1');
    const { prepared } = fast.service;
    expect(from && prepared.answer(queryBytes('video.demo.cdn.example.net'), from, 0)).toBe(false);
    expect(from && prepared.answer(query, from, 0)).toBe(false);
    fast.ask(query, '8.8.8.8');
    expect(from && prepared.answer(query, from, 0)).toBe(true);
    const text = await fast.metrics.registry.metrics();
    expect(text).toContain('weir_dns_queries_total{transport="udp",type="A",rcode="NOERROR"} 4');
    expect(text).toContain('weir_dns_answers_total{domain="demo/video"} 4');
    // What was read once is not counted again.
    expect(await fast.metrics.registry.metrics()).toContain('weir_dns_answers_total{domain="demo/video"} 4');
  });

  test('is forgotten when health changes', () => {
    const { fast } = twins(TWIN_PLAN);
    const answer = () => lines(decode(Buffer.from(fast.ask(query, '8.8.8.8'), 'hex')).answers);
    expect([answer(), answer()]).toEqual([['A 198.51.100.5 60'], ['A 198.51.100.5 60']]);
    const addresses = [{ address: '198.51.100.5', healthy: false, detail: 'tested' }];
    fast.service.useHealth([{ node: 'zz-1', addresses }]);
    expect(answer()).toEqual(['A 198.51.100.6 60']);
  });

  test('is prepared anew when health changes, before anybody asks, and followers hear of it', async () => {
    const { fast } = twins(TWIN_PLAN);
    const { prepared } = fast.service;
    const from = parseIp('8.8.8.8');
    if (!from) throw new Error('source');
    fast.ask(query, '8.8.8.8');
    const heard: string[] = [];
    const follower = {
      tables: (_: unknown, slots: Slots) => void heard.push(`tables ${slots.size}`),
      slot: () => void heard.push('slot'),
      signature: () => void heard.push('signature'),
      reset: (slots: Slots) => void heard.push(`reset ${slots.size}`),
      cookieSecret: () => void heard.push('cookie secret'),
    };
    const unfollow = prepared.follow(follower);
    // A thread that starts later knows what the others know.
    expect(heard.splice(0)).toEqual(['cookie secret', 'tables 1']);
    const addresses = [{ address: '198.51.100.5', healthy: false, detail: 'tested' }];
    fast.service.useHealth([{ node: 'zz-1', addresses }]);
    expect(heard.splice(0)).toEqual(['reset 1']);
    expect(prepared.answer(query, from, 0)).toBe(true);
    expect(lines(decode(prepared.take()).answers)).toEqual(['A 198.51.100.6 60']);
    const places = fast.service.geoRules() && compiledPlaces(compileGeo(TWIN_DATA, geoRulesOf(TWIN_PLAN)));
    if (places) fast.service.usePlaces(places);
    expect(heard).toEqual(['tables 1']);
    expect(prepared.answer(query, from, 0)).toBe(true);
    unfollow();
    const text = await fast.metrics.registry.metrics();
    // What is asked again by the server itself is no query.
    expect(text).toContain('weir_dns_queries_total{transport="udp",type="A",rcode="NOERROR"} 2');
  });

  test('is what was asked, after a new table too', () => {
    const { fast } = twins(TWIN_PLAN);
    const slots = () => {
      let count = 0;
      const tables = (_: unknown, held: Slots) => {
        count = held.size;
      };
      const follower = { tables, slot() {}, signature() {}, reset() {}, cookieSecret() {} };
      fast.service.prepared.follow(follower)();
      return count;
    };
    fast.ask(queryBytes('video.demo.cdn.example.net'), '8.8.8.8');
    fast.ask(queryBytes('video.demo.cdn.example.net'), '202.106.0.1');
    expect(slots()).toBe(2);
    fast.service.useTable(readyTable(TWIN_PLAN));
    expect(slots()).toBe(2);
  });

  test('knows domains apart that are newer than others in the class', () => {
    const plan = published(TWIN_PLAN);
    const { fast, ordinary, each } = twins(TWIN_PLAN);
    const offered = { ...plan, since: { ...plan.since, 'uid-b': { epoch: 3, seq: 9 } } };
    const compiled = compileGeo({ ...TWIN_DATA, asn: { databases: [], tables: [] } }, geoRulesOf(TWIN_PLAN));
    each((service) => {
      const held = preparePlan(offered);
      const places = compiledPlaces(compiled);
      held.regions.places = service === fast.service ? places : { ...places, compiled: undefined };
      service.usePlan(held);
    });
    for (const cname of ['video', 'b', 'c', 'b', 'video', 'b']) {
      const asking = queryBytes(`${cname}.demo.cdn.example.net`, { subnet: '202.102.224.0/24' });
      expect(fast.ask(asking, '8.8.8.8')).toBe(ordinary.ask(asking, '8.8.8.8'));
    }
  });
});

test.each([false, true])(
  'are prepared still where one client takes too little for them; signed: %s',
  (dnssec) => {
    const nodes = Array.from({ length: 30 }, (_, index) =>
      testNode(`la-${index}`, 'us-west', { addresses: [`198.51.100.${index}`] }),
    );
    const zones = testPlan().zones.map((zone) => ({ ...zone, dnssec }));
    const { fast } = twins(testPlan({ zones, nodes, domains: [testDomain({ answers: 30 })] }));
    fast.service.useSecrets({
      zones: [{ zone: 'cdn.example.net', keys: [newZoneKey(0, true)] }],
      cookie: undefined,
    });
    const query = (udpPayloadSize: number) =>
      queryBytes('video.demo.cdn.example.net', { edns: { udpPayloadSize, flags: 0x8000 } });
    const answered = (size: number) =>
      decode(Buffer.from(fast.ask(query(size), '8.8.8.8'), 'hex')).answers?.length;
    expect([answered(512), answered(1_232), answered(512)]).toEqual([0, dnssec ? 31 : 30, 0]);
    expect(fast.service.prepared.answer(query(1_232), ANYBODY, 0)).toBe(true);
  },
);

describe('signed answers', () => {
  const plan = { ...TWIN_PLAN, zones: TWIN_PLAN.zones.map((zone) => ({ ...zone, dnssec: true })) };
  const keys = { zone: 'cdn.example.net', keys: [newZoneKey(0, true)] };

  const signedQuery = (label: string) =>
    queryBytes(`${label}.demo.cdn.example.net`, { edns: { flags: 0x8000 } });

  test('are prepared with the signatures of the ordinary path', () => {
    const { fast } = twins(plan);
    fast.service.useSecrets({ zones: [keys], cookie: undefined });
    fc.assert(
      fc.property(fc.array(fc.record({ name, asked }), { maxLength: 30 }), (steps) => {
        for (const step of steps) {
          const { edns } = step.asked;
          const query = message(step.name, { ...step.asked, edns: { ...edns, flags: 0x8000 } });
          // An option that nobody knows changes nothing but the path.
          const options = [{ code: 65_001, data: Buffer.alloc(0) }];
          const unprepared = message(step.name, {
            ...step.asked,
            edns: { ...edns, flags: 0x8000, options },
          });
          const answers = () => [1, 2, 3].map(() => fast.ask(query, '8.8.8.8'));
          const before = answers();
          // Other answers are written where these were.
          for (const label of ['b', 'c', 'd']) fast.ask(signedQuery(label), '202.106.0.1');
          if (!step.asked.subnet) {
            expect([...before, ...answers()]).toEqual(Array(6).fill(fast.ask(unprepared, '8.8.8.8')));
          }
          expect(answers()).toEqual(before);
          fast.service.prepared.reset(0);
          expect(answers()).toEqual(before);
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  test('are of the name that was asked for, and gone with the key', () => {
    const { fast } = twins(plan);
    const query = (label: string) =>
      queryBytes(`${label}.demo.cdn.example.net`, { subnet: '202.102.224.0/24', edns: { flags: 0x8000 } });
    const isPrepared = (label: string) => fast.service.prepared.answer(query(label), ANYBODY, 0);
    const records = (label: string) => Buffer.from(fast.ask(query(label), '8.8.8.8'), 'hex').readUInt16BE(6);
    const unsigned = records('d');
    fast.service.useSecrets({ zones: [keys], cookie: undefined });
    expect([records('d'), isPrepared('d')]).toEqual([unsigned + 1, true]);
    // Of the same class: the slot is there, and no signature yet.
    expect([isPrepared('b'), records('b'), isPrepared('b')]).toEqual([false, unsigned + 1, true]);
    fast.service.useSecrets({ zones: [], cookie: undefined });
    expect([isPrepared('d'), records('d'), isPrepared('d')]).toEqual([false, unsigned, false]);
  });

  test.each([
    ['the target’s', true],
    ['the hostname’s', false],
  ])('go by the name’s zone: one that has its target and its hostname in two, %s signed', (_, first) => {
    const [zone] = TWIN_PLAN.zones;
    if (zone === undefined) throw new Error('a plan without a zone');
    const { fast } = twins({
      ...TWIN_PLAN,
      zones: [
        { ...zone, dnssec: first },
        { ...zone, name: 'shop.example', dnssec: !first },
      ],
      domains: [testDomain({ hostnames: ['shop.example'] })],
    });
    const shop = { zone: 'shop.example', keys: [newZoneKey(0, true)] };
    fast.service.useSecrets({ zones: [first ? keys : shop], cookie: undefined });
    const types = (asked: string) =>
      rawRecords(Buffer.from(fast.ask(queryBytes(asked, { edns: { flags: 0x8000 } }), '8.8.8.8'), 'hex')).map(
        ({ type }) => type,
      );
    const [plain, signed] = [
      [1, 41],
      [1, 46, 41],
    ];
    // Each is asked once it could be prepared for the other.
    for (let time = 0; time < 3; time++) {
      expect(types('video.demo.cdn.example.net')).toEqual(first ? signed : plain);
      expect(types('shop.example')).toEqual(first ? plain : signed);
    }
  });
});

test('what is over a limit is truncated as on the ordinary path', () => {
  const { fast } = twins(TWIN_PLAN);
  const query = queryBytes('video.demo.cdn.example.net', { subnet: '202.102.224.0/24' });
  const memory = Buffer.from(new ArrayBuffer(2_048));
  const path = new FastPath({ bytes: memory, view: new DataView(memory.buffer) });
  fast.service.prepared.follow({
    tables: (tables, slots) => path.use(tables, slots),
    slot: (key, slot) => void path.slots.set(key, slot),
    signature: () => {},
    reset: (slots) => path.use(path.tables, slots),
    cookieSecret: (secret) => path.useCookieSecret(secret),
  });
  const { ordinary } = twins({ ...TWIN_PLAN, rateLimit: { perClient: 1, exempt: [] } });
  ordinary.ask(query, '8.8.8.8');
  const cookie = { options: [{ code: 10, data: Buffer.alloc(8, 7) }] };
  for (const edns of [{ subnet: '202.102.224.0/24' }, { edns: {} }, {}, { edns: cookie }]) {
    const asking = queryBytes('video.demo.cdn.example.net', { ...edns, id: 7 });
    fast.ask(asking, '8.8.8.8');
    memory.set(asking);
    // The answer stood there before it was known that it is one too many.
    expect(path.answer(0, asking.length, ANYBODY.bytes, ordinary.clock.now())).toBeGreaterThan(asking.length);
    const truncated = memory.subarray(0, path.truncate());
    expect(truncated.toString('hex')).toBe(ordinary.ask(asking, '8.8.8.8'));
    expect(decode(Buffer.from(truncated))).toMatchObject({ id: 7, flag_tc: true, answers: [] });
  }
  memory.set(query);
  expect(path.answer(0, query.length, ANYBODY.bytes, 0)).toBeGreaterThan(query.length);
});

test('names are found in any case, and no others', () => {
  const wire = (text: string) => queryBytes(text).subarray(12, -4);
  const view = (bytes: Buffer) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const names = Array.from({ length: 1_000 }, (_, index) => `n${index}.example.net`);
  const table = buildNameTable(
    names.map((text, index) => ({ key: wire(text).toString('latin1'), class: index % 7 })),
  );
  const find = (text: string) => {
    const place = findName(table, view(wire(text)), 0, wire(text).length);
    return place < 0 ? -1 : numberOf(table, place);
  };
  expect(names.map(find)).toEqual(names.map((_, index) => index));
  expect([
    find('N7.Example.NET'),
    find('n1000.example.net'),
    find('example.net'),
    find('a'),
    find('.'),
  ]).toEqual([7, -1, -1, -1, -1]);
  expect(findName(buildNameTable([]), view(wire('a.example')), 0, 11)).toBe(-1);
});

test('four bytes become lower case as each of them would', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
      const expected = bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte));
      const word = (four: Uint8Array) => Buffer.from(four).readUInt32LE();
      expect(lower(word(bytes))).toBe(word(expected));
    }),
    { seed: SEED, numRuns: 10_000 },
  );
});
