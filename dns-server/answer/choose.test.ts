import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeRow } from '../../contract/plans/node-table.ts';
import type { RoutingNode } from '../../contract/plans/routing-plan.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import { formatIp, type IpAddress, masked, parseIp } from '../geo/ip-address.ts';
import { preparePlan } from '../plan/prepare.ts';
import type { Family } from '../plan/prepared-address.ts';
import { published, readyTable, TEST_GEO, testDomain, testNode, testPlan } from '../testing/routing-plan.ts';
import { allDownDomains } from './alarms.ts';
import { answerDomain } from './answer-domain.ts';
import { judge, select } from './choose.ts';
import { clientFromText } from './client.ts';
import { explain } from './explain.ts';
import { tiersFor } from './tiers.ts';
import { createView } from './view.ts';

const SEED = 20_261_122;

const ip = (text: string): IpAddress => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return address;
};

interface World {
  nodes?: RoutingNode[];
  answers?: number;
  rows?: Record<string, Partial<NodeRow>>;
  without?: string[];
  down?: string[];
}

function worldOf({ nodes, answers = 2, rows = {}, without = [], down = [] }: World) {
  const plan = testPlan({ ...(nodes && { nodes }), domains: [testDomain({ answers })] });
  const ready = readyTable(plan);
  const table = {
    ...ready,
    rows: ready.rows
      .filter(({ node }) => !without.includes(node))
      .map((row) => ({ ...row, ...rows[row.node] })),
  };
  const health: HealthReport['nodes'] = plan.nodes.map(({ name, addresses }) => ({
    node: name,
    addresses: addresses.map((address) => ({ address, healthy: !down.includes(address), detail: 'tested' })),
  }));
  const prepared = preparePlan(published(plan));
  return { plan: prepared, table, health, view: createView(prepared, table, health) };
}

function answer(world: ReturnType<typeof worldOf>, client = '202.102.224.68', family: Family = 4) {
  const [domain] = world.plan.domains;
  if (domain === undefined) throw new Error('domain');
  return answerDomain(world.view, TEST_GEO, domain, ip(client), family);
}

const nodesFor = (world: World, client?: string, family?: Family) =>
  answer(worldOf(world), client, family)
    .picked.map(({ node }) => node.spec.name)
    .sort();

test('an address that nodes share, as behind a load balancer, is answered once', () => {
  const nodes = ['a', 'b', 'c'].map((name) => testNode(name, 'cn-north', { addresses: ['192.0.2.80'] }));
  expect(answer(worldOf({ nodes, answers: 3 })).addresses.map(({ text }) => text)).toEqual(['192.0.2.80']);
});

const changed = (name: string, changes: Partial<RoutingNode>) =>
  testPlan().nodes.map((node) => (node.name === name ? { ...node, ...changes } : node));

/** Addresses of all of the region's nodes. */
const CENTRAL = ['198.51.100.5', '2001:db8:5::1', '198.51.100.6'];
const NORTH = ['198.51.100.1', '2001:db8:1::1', '198.51.100.2'];

describe('a node is left out', () => {
  test.each<[string, World]>([
    ['when it is cordoned', { nodes: changed('zz-1', { schedulable: false }) }],
    ['when it acked less than the domain needs', { rows: { 'zz-1': { acked: { epoch: 3, seq: 4 } } } }],
    ['when it acked a plan of an older epoch', { rows: { 'zz-1': { acked: { epoch: 2, seq: 99 } } } }],
    ['when it acked nothing', { without: ['zz-1'] }],
    ['when it is not admitted', { rows: { 'zz-1': { admitted: false, reason: 'CatchingUp' } } }],
    ['when it is down', { down: ['198.51.100.5', '2001:db8:5::1'] }],
    ['when its weight is 0', { nodes: changed('zz-1', { weight: 0 }) }],
  ])('%s', (_, world) => {
    expect(nodesFor(world)).toEqual(['zz-2']);
  });

  test('of A alone when its IPv4 address is down', () => {
    const world = { down: ['198.51.100.5'] };
    expect(nodesFor(world, undefined, 4)).toEqual(['zz-2']);
    expect(nodesFor(world, undefined, 6)).toEqual(['zz-1', 'zz-2']);
  });
});

describe('a forced state', () => {
  const forced = (state: 'Up' | 'Down', until?: number) => ({
    rows: { 'zz-1': { forced: { state, ...(until !== undefined && { until }) } } },
  });

  test('takes a node out, and keeps one in that probes see down', () => {
    expect(nodesFor(forced('Down'))).toEqual(['zz-2']);
    expect(nodesFor({ ...forced('Up'), down: CENTRAL })).toEqual(['zz-1']);
  });

  test('ends at its time', () => {
    const world = worldOf(forced('Down', 5_000));
    const at = (now: number) =>
      answer({ ...world, view: createView(world.plan, world.table, world.health, now) });
    expect(at(4_999).picked).toHaveLength(1);
    expect(at(5_000).picked).toHaveLength(2);
  });
});

describe('the TTL', () => {
  const ttlWith = (turnMs: Record<string, number>, down: string[] = [], rows: World['rows'] = {}) => {
    const world = worldOf({ down, rows });
    const health = world.health.map(({ node, addresses }) => ({
      node,
      addresses: addresses.map((address) => ({ ...address, turnMs: turnMs[node] ?? 300_000 })),
    }));
    return answer({ ...world, view: createView(world.plan, world.table, health) }).ttl;
  };

  test('is lowered towards the next possible change of health, but not below minTtl', () => {
    expect(ttlWith({})).toBe(60);
    expect(ttlWith({ 'zz-1': 45_500 })).toBe(46);
    expect(ttlWith({ 'zz-1': 1_000 })).toBe(30);
  });

  test('counts tiers before the one that answers, which may come back, and none behind it', () => {
    expect(ttlWith({ 'zz-1': 40_000 }, CENTRAL)).toBe(40);
    expect(ttlWith({ 'bj-1': 40_000 })).toBe(60);
  });

  test('does not look at a node whose state is forced', () => {
    const rows = { 'zz-1': { forced: { state: 'Up' as const } } };
    expect(ttlWith({ 'zz-1': 40_000 }, [], rows)).toBe(60);
  });
});

describe('the next region answers', () => {
  test('when no node of the client’s own can', () => {
    expect(nodesFor({ down: CENTRAL })).toEqual(['bj-1', 'bj-2']);
    expect(nodesFor({ down: [...CENTRAL, ...NORTH] })).toEqual(['la-1', 'la-2']);
  });

  test('when its own have weight 0, and its own again when nobody else is there', () => {
    const nodes = testPlan().nodes.map((node) =>
      node.region === 'cn-central' ? { ...node, weight: 0 } : node,
    );
    expect(nodesFor({ nodes })).toEqual(['bj-1', 'bj-2']);
    const others = nodes.filter(({ region }) => region !== 'cn-central');
    expect(nodesFor({ nodes, without: others.map(({ name }) => name) })).toEqual(['zz-1', 'zz-2']);
  });
});

describe('a gate that would empty the answer', () => {
  const everything = testPlan().nodes.flatMap(({ addresses }) => addresses);

  test('does not apply when it is health: all are answered, and an alarm is raised', () => {
    const world = worldOf({ down: everything });
    expect(
      answer(world)
        .addresses.map(({ text }) => text)
        .sort(),
    ).toEqual(everything.filter((address) => !address.includes(':')).sort());
    expect(allDownDomains(world.view).map(({ spec }) => spec.name)).toEqual(['video']);
    expect(allDownDomains(worldOf({ down: CENTRAL }).view)).toEqual([]);
  });

  test('does not apply when it is admission', () => {
    const rows = Object.fromEntries(
      testPlan().nodes.map(({ name }) => [name, { admitted: false, reason: 'CatchingUp' }]),
    );
    expect(nodesFor({ rows })).toHaveLength(6);
  });

  test('still keeps those out that are cordoned or do not serve the domain', () => {
    const world = { nodes: changed('zz-1', { schedulable: false }), without: ['bj-1'], down: everything };
    expect(nodesFor(world)).toEqual(['bj-2', 'la-1', 'la-2', 'zz-2']);
  });

  test('applies when it is hard: nothing is answered', () => {
    const { selection, addresses, ttl } = answer(
      worldOf({ without: testPlan().nodes.map(({ name }) => name) }),
    );
    expect([selection.outcome, addresses, ttl]).toEqual(['NotYetReady', [], 5]);
  });
});

describe('the share of a node', () => {
  const region = (weights: number[]) =>
    weights.map((weight, index) =>
      testNode(`n-${index}`, 'cn-central', { weight, addresses: [`198.51.100.${index}`] }),
    );
  /** The first node for each of 4,096 units of 202.0.0.0/8, each in a leaf of its own. */
  const winners = (nodes: RoutingNode[]) => {
    const world = worldOf({ nodes, answers: 1 });
    return Array.from({ length: 4_096 }, (_, unit) => {
      return answer(world, `61.${unit >> 4}.${(unit & 15) << 4}.1`).picked[0]?.node.spec.name ?? '';
    });
  };
  const share = (names: string[], name: string) =>
    names.filter((other) => other === name).length / names.length;

  test('follows its weight', () => {
    const names = winners(region([100, 100, 200]));
    expect(share(names, 'n-0')).toBeCloseTo(0.25, 1);
    expect(share(names, 'n-2')).toBeCloseTo(0.5, 1);
  });

  test('moves to the others when it goes, and nothing else moves', () => {
    const before = winners(region([100, 100, 100, 100]));
    const after = winners(region([100, 100, 100]));
    const moved = before.filter((name, unit) => name !== after[unit]);
    expect(new Set(moved)).toEqual(new Set(['n-3']));
    expect(moved.length / before.length).toBeCloseTo(0.25, 1);
  });
});

/** Worlds in all conditions, and clients near the borders of networks. */
const anyWorld = fc.record({
  answers: fc.integer({ min: 1, max: 4 }),
  without: fc.subarray(testPlan().nodes.map(({ name }) => name)),
  down: fc.subarray(testPlan().nodes.flatMap(({ addresses }) => addresses)),
  rows: fc.dictionary(
    fc.constantFrom('bj-1', 'zz-1', 'la-2'),
    fc.constant({ admitted: false, reason: 'CatchingUp' }),
  ),
});
const near = fc.constantFrom(
  '202.102.0.0',
  '202.101.255.255',
  '10.1.2.0',
  '10.1.3.255',
  '61.1.2.3',
  '8.0.0.1',
  '0.0.0.0',
  '240e::',
  '2001:db8:f::',
  '2001:db8:e:ffff::',
);
const anyClient = fc.oneof(
  near,
  fc.ipV4(),
  fc.ipV6().filter((text) => !text.includes('.')),
);

test('every address inside the scope gets the same answer', () => {
  fc.assert(
    fc.property(
      anyWorld,
      anyClient,
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.constantFrom<Family>(4, 6),
      (changes, client, noise, family) => {
        const world = worldOf(changes);
        const address = ip(client);
        const first = answer(world, client, family);
        const inside = masked(address, first.length);
        const open = masked({ ...address, bytes: Uint8Array.from(address.bytes, () => 255) }, first.length);
        for (const [index, byte] of inside.bytes.entries()) {
          inside.bytes[index] = byte | ((noise[index] ?? 0) & ~(open.bytes[index] ?? 0));
        }
        const second = answer(world, formatIp(inside), family);
        expect(second.addresses).toEqual(first.addresses);
        expect([second.ttl, second.length]).toEqual([first.ttl, first.length]);
      },
    ),
    { seed: SEED, numRuns: 2_000 },
  );
});

test('domains of one cohort are answered as each would be alone', () => {
  const names = testPlan().nodes.map(({ name }) => name);
  const seqs = fc.integer({ min: 1, max: 4 });
  const setting = fc.record({
    acked: fc.dictionary(fc.constantFrom(...names), seqs),
    since: fc.array(seqs, { minLength: 1, maxLength: 6 }),
    down: fc.subarray(testPlan().nodes.flatMap(({ addresses }) => addresses)),
  });
  fc.assert(
    fc.property(setting, ({ acked, since, down }) => {
      const domains = since.map((_, index) =>
        testDomain({ uid: `${index}`, cname: `d${index}.demo.cdn.example.net` }),
      );
      const plan = testPlan({ domains });
      const at = (seq: number) => ({ epoch: 3, seq });
      const prepared = preparePlan({
        ...published(plan),
        since: Object.fromEntries(since.map((seq, index) => [index, at(seq)])),
      });
      const rows = Object.entries(acked).map(([node, seq]) => ({
        node,
        acked: at(seq),
        admitted: true,
        reason: '',
      }));
      const health = plan.nodes.map(({ name, addresses }) => ({
        node: name,
        addresses: addresses.map((address) => ({ address, healthy: !down.includes(address), detail: '' })),
      }));
      const view = createView(prepared, { version: at(1), rows }, health);
      for (const domain of prepared.domains) {
        const client = { region: 'cn-north' };
        const alone = select(judge(tiersFor(domain.set, client), view.standings, domain, 4));
        expect(view.selectionFor(domain, domain.set, client, 4)).toEqual(alone);
      }
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('an explanation ends in the very answer', () => {
  fc.assert(
    fc.property(anyWorld, anyClient, fc.constantFrom<Family>(4, 6), (changes, text, family) => {
      const world = worldOf(changes);
      const client = clientFromText(text);
      if (client === undefined) throw new Error(text);
      const explained = explain({
        ...world,
        geo: TEST_GEO,
        name: 'video.example.com',
        client,
        family,
        now: 0,
      });
      const { addresses, ttl, picked, placement } = answer(world, formatIp(client.address), family);
      expect(explained?.answer).toMatchObject({ addresses: addresses.map((address) => address.text), ttl });
      expect(explained?.region.name).toBe(placement.region);
      const answered = explained?.tiers.flatMap(({ candidates }) =>
        candidates.filter((node) => node.answered),
      );
      expect(answered?.map(({ node }) => node).sort()).toEqual(
        picked.map(({ node }) => node.spec.name).sort(),
      );
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test('an explanation says of each node why it is left out', () => {
  const world = worldOf({
    nodes: changed('zz-1', { schedulable: false }),
    rows: { 'zz-2': { acked: { epoch: 3, seq: 4 } }, 'bj-1': { admitted: false, reason: 'CatchingUp' } },
    down: ['198.51.100.2'],
  });
  const client = clientFromText('202.102.224.68');
  if (client === undefined) throw new Error('client');
  const explained = explain({
    ...world,
    geo: TEST_GEO,
    name: 'Video.Example.com.',
    client,
    family: 4,
    now: 0,
  });
  expect(explained).toMatchObject({
    domain: { namespace: 'demo', name: 'video', cname: 'video.demo.cdn.example.net' },
    client: { address: '202.102.224.68', place: { country: 'CN', subdivision: 'CN-HA', city: 'Zhengzhou' } },
    region: { name: 'cn-central', decidedBy: 'subdivision', member: 'CN-HA' },
    outcome: 'Usable',
    answer: { type: 'A', ttl: 60, scope: 20 },
  });
  const said = explained?.tiers.flatMap(({ name, candidates }) =>
    candidates.map(({ node, answered, reason, message }) => {
      return `${name} ${node} ${answered ? 'answered' : `${reason}: ${message}`}`;
    }),
  );
  expect(said).toEqual([
    'cn-central zz-1 Cordoned: schedulable is false',
    'cn-central zz-2 NotYetReady: acked 3.4 < since 3.5',
    'cn-north bj-1 NotAdmitted: CatchingUp',
    'cn-north bj-2 Unhealthy: 198.51.100.2: tested',
    'us-west la-1 answered',
    'us-west la-2 answered',
  ]);
  expect(
    explain({ ...world, geo: TEST_GEO, name: 'nobody.example.com', client, family: 4, now: 0 }),
  ).toBeUndefined();
});
