/** Tiers, ISPs, sites and shifts: from a plan to the nodes that a client gets. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  NO_REGION,
  type RoutingDomain,
  type RoutingNode,
  type RoutingPlan,
  type Shift,
  type Tier,
} from '../../contract/plans/routing-plan.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import { type IpAddress, parseIp } from '../geo/ip-address.ts';
import { spotOf } from '../geo/spot.ts';
import { preparePlan } from '../plan/prepare.ts';
import { published, readyTable, testDomain, testGeo, testNode, testPlan } from '../testing/routing-plan.ts';
import { answerDomain } from './answer-domain.ts';
import { unitOf } from './rendezvous.ts';
import { tiersFor } from './tiers.ts';
import { createView } from './view.ts';

const SEED = 20_261_122;

function viewOf(changes: Partial<RoutingPlan>, now = 0, down: readonly string[] = []) {
  const plan = testPlan(changes);
  const health = plan.nodes.map(({ name, addresses }) => ({
    node: name,
    addresses: addresses.map((address) => ({ address, healthy: !down.includes(name), detail: '' })),
  }));
  return createView(preparePlan(published(plan)), readyTable(plan), health, now);
}

/** Every address is its own /24. */
const GEO: GeoDatabase = { locate: () => ({ place: undefined, length: 24 }) };

function ask(view: ReturnType<typeof viewOf>, client: IpAddress, geo = GEO) {
  const [domain] = view.plan.domains;
  if (domain === undefined) throw new Error('domain');
  return answerDomain(view, geo, domain, client, 4);
}

/** The first nodes of `count` networks. */
function winners(view: ReturnType<typeof viewOf>, count = 4_096): string[] {
  return Array.from({ length: count }, (_, unit) => {
    const bytes = Uint8Array.of(20 + (unit >> 16), unit >> 8, unit, 1);
    return ask(view, { version: 4, bytes }).picked[0]?.node.spec.name ?? '';
  });
}

const names = (view: ReturnType<typeof viewOf>, client = '8.8.8.8') => {
  const address = parseIp(client);
  if (address === undefined) throw new Error(client);
  return ask(view, address)
    .picked.map(({ node }) => node.spec.name)
    .sort();
};

const share = (all: readonly string[], name: string) =>
  all.filter((other) => other === name).length / all.length;

function nodesOf(...weights: number[]): RoutingNode[] {
  return weights.map((weight, index) =>
    testNode(`n-${index}`, 'us-west', { weight, addresses: [`198.51.100.${index + 1}`] }),
  );
}

function oneSet(nodes: readonly RoutingNode[], tiers: Tier[], domain: Partial<RoutingDomain> = {}) {
  return {
    nodes: [...nodes],
    domains: [testDomain({ answers: 1, ...domain })],
    candidateSets: [
      { id: 'all', regions: ['cn-central', 'cn-north', 'us-west'].map((region) => ({ region, tiers })) },
    ],
  };
}

const tier = (by: Tier['by'], name: string, nodes: readonly string[]): Tier => ({
  by,
  name,
  nodes: [...nodes],
});

describe('Weighted', () => {
  const nodes = nodesOf(100, 300);
  const view = viewOf(oneSet(nodes, [tier('All', 'all', ['n-0', 'n-1'])], { policy: 'Weighted' }));

  test('gives each node its share of the networks, wherever they are', () => {
    expect(share(winners(view), 'n-1')).toBeCloseTo(0.75, 1);
    expect(share(winners(view), 'n-0')).toBeCloseTo(0.25, 1);
  });
});

describe('Failover', () => {
  const tiers = [tier('Order', '1', ['n-0']), tier('Order', '2', ['n-1', 'n-2'])];
  const plan = oneSet(nodesOf(1, 100, 100), tiers, { policy: 'Failover', answers: 2 });

  test('stays at the first step while that can answer, then goes on to the next', () => {
    expect(names(viewOf(plan))).toEqual(['n-0']);
    expect(names(viewOf(plan, 0, ['n-0']))).toEqual(['n-1', 'n-2']);
    expect(names(viewOf(plan, 0, ['n-0', 'n-1']))).toEqual(['n-2']);
  });
});

describe('nodes of the client’s ISP', () => {
  const nodes = nodesOf(100, 100, 100).map((node, index) => ({ ...node, isps: index === 2 ? [4_837] : [] }));
  const { plan } = viewOf(oneSet(nodes, [tier('Region', 'us-west', ['n-0', 'n-1', 'n-2'])]));
  const [set] = plan.domains.map((domain) => domain.set);
  const tiers = (asn: number | undefined) =>
    set &&
    tiersFor(set, { region: 'us-west', asn }).map((each) => [
      each.sameIsp,
      ...each.nodes.map(({ spec }) => spec.name),
    ]);

  test('come before the others of their tier, for its clients alone', () => {
    expect(tiers(4_837)).toEqual([
      [true, 'n-2'],
      [false, 'n-0', 'n-1'],
    ]);
    expect(tiers(4_134)).toEqual([[false, 'n-0', 'n-1', 'n-2']]);
    expect(tiers(undefined)).toEqual([[false, 'n-0', 'n-1', 'n-2']]);
  });
});

describe('without regions', () => {
  const site = (name: string, latitude: number, longitude: number): Tier => ({
    ...tier('Site', name, [name]),
    location: { latitude, longitude },
  });
  const nodes = ['beijing', 'fiji', 'paris'].map((name, index) =>
    testNode(name, NO_REGION, { addresses: [`198.51.100.${index + 1}`] }),
  );
  const sites = [site('beijing', 39.9, 116.4), site('fiji', -17.7, 178), site('paris', 48.9, 2.4)];
  const { plan } = viewOf({
    regions: [],
    defaultRegion: NO_REGION,
    nodes,
    domains: [testDomain()],
    candidateSets: [{ id: 'all', regions: [{ region: NO_REGION, tiers: sites }] }],
  });
  const [set] = plan.domains.map((domain) => domain.set);
  const order = (region: string) => set && tiersFor(set, { region }).map(({ name }) => name);

  test('the nearest site is the first, also across the date line', () => {
    expect(order(spotOf({ latitude: 34.75, longitude: 113.62 }))).toEqual(['beijing', 'paris', 'fiji']);
    expect(order(spotOf({ latitude: 51.5, longitude: -0.1 }))).toEqual(['paris', 'beijing', 'fiji']);
    expect(order(spotOf({ latitude: -14, longitude: -171.8 }))).toEqual(['fiji', 'beijing', 'paris']);
  });

  test('a client that nobody can place has all sites alike', () => {
    expect(order(NO_REGION)).toEqual(['all sites']);
  });
});

describe('a timed shift', () => {
  const nodes = nodesOf(100, 100, 100, 100);
  const old = ['n-0', 'n-1'];
  const fresh = ['n-2', 'n-3'];
  const shift = (percent: number, start = 0): Shift => ({
    set: 'new',
    start,
    percent,
    from: 1_000,
    until: 2_000,
  });
  const planWith = (shifts: Shift[], answers = 1) => {
    const plan = oneSet(nodes, [tier('Region', 'us-west', old)], { shifts, answers });
    const regions = plan.candidateSets.flatMap((set) =>
      set.regions.map(({ region }) => ({ region, tiers: [tier('All', 'all', fresh)] })),
    );
    return { ...plan, candidateSets: [...plan.candidateSets, { id: 'new', regions }] };
  };
  const before = winners(viewOf(planWith([shift(30)]), 999));

  test.each([1, 30, 80, 100])(
    'moves %i % of the networks and leaves the others with their very node',
    (percent) => {
      const during = winners(viewOf(planWith([shift(percent)]), 1_000));
      const moved = during.filter((name) => fresh.includes(name)).length / during.length;
      expect(Math.abs(moved - percent / 100)).toBeLessThan(0.03);
      during.forEach((name, unit) => {
        if (!fresh.includes(name)) expect(name).toBe(before[unit]);
      });
      // Of each node the same part goes: the hash of the shift is another one than that of the choice.
      const gone = during.filter((name, unit) => before[unit] === 'n-0' && name !== 'n-0').length;
      expect(Math.abs(gone / (share(before, 'n-0') * during.length) - percent / 100)).toBeLessThan(0.05);
    },
  );

  test('is over at its end', () => {
    expect(winners(viewOf(planWith([shift(80)]), 2_000))).toEqual(before);
  });

  test('falls back on the domain’s own nodes when none of its own can answer', () => {
    const view = viewOf(planWith([shift(100)]), 1_500, fresh);
    expect(winners(view)).toEqual(before);
  });

  test('divides clients no further than units, and not at all when it moves everybody', () => {
    const client: IpAddress = { version: 4, bytes: Uint8Array.of(8, 8, 8, 8) };
    const wide = testGeo({ '8.0.0.0/9': { country: 'US' } });
    const single = (percent: number) => {
      const plan = planWith([shift(percent)]);
      const sets = plan.candidateSets.map(({ id, regions }) => ({
        id,
        regions: regions.map(({ region, tiers }) => ({
          region,
          tiers: tiers.map((each) => ({ ...each, nodes: each.nodes.slice(0, 1) })),
        })),
      }));
      return ask(viewOf({ ...plan, candidateSets: sets }, 1_500), client, wide).length;
    };
    expect(single(40)).toBe(20);
    expect(single(100)).toBe(9);
  });

  test('a network keeps its side when a share grows, and when another shift ends', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 99 }),
        fc.integer({ min: 1, max: 100 }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        (small, larger, bytes) => {
          const [low, high] = [Math.min(small, larger), Math.max(small, larger)];
          const sideAt = (shifts: Shift[]) =>
            ask(viewOf(planWith(shifts), 1_500), { version: 4, bytes }).side;
          if (sideAt([shift(low)]) === 'Moved') expect(sideAt([shift(high)])).toBe('Moved');
          const later = { ...shift(100 - small, small), until: 3_000 };
          const both = sideAt([shift(small), later]);
          // Together they have everybody.
          expect(both).toBe('Moved');
          const [first, second] = [sideAt([shift(small)]), sideAt([later])];
          expect([first, second].sort()).toEqual(['Kept', 'Moved']);
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });
});

describe('losing one of n nodes', () => {
  test('moves about k/n of the units for k answers, and only what it answered', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 12 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 255 }),
        (n, answers, salt) => {
          const nodes = Array.from({ length: n }, (_, index) =>
            testNode(`s${salt}-${index}`, 'us-west', { addresses: [`198.51.100.${index + 1}`] }),
          );
          const plan = oneSet(
            nodes,
            [
              tier(
                'Region',
                'us-west',
                nodes.map(({ name }) => name),
              ),
            ],
            { answers },
          );
          const lost = nodes[salt % n]?.name ?? '';
          const whole = viewOf(plan);
          const less = viewOf(plan, 0, [lost]);
          let moved = 0;
          const units = 1_024;
          for (let unit = 0; unit < units; unit++) {
            const client: IpAddress = { version: 4, bytes: Uint8Array.of(30, unit >> 8, unit, 0) };
            const [before, after] = [whole, less].map((view) =>
              ask(view, client).picked.map(({ node }) => node.spec.name),
            );
            const had = before?.includes(lost) === true;
            if (had) moved += 1;
            // Those who did not have it keep their nodes in their order; those who had it get one more behind.
            const kept = before?.filter((name) => name !== lost);
            expect(after?.slice(0, kept?.length)).toEqual(kept);
          }
          expect(Math.abs(moved / units - Math.min(1, answers / n))).toBeLessThan(0.08);
        },
      ),
      { seed: SEED, numRuns: 20 },
    );
  });

  test('units of one length are as good as random', () => {
    const bytes = (unit: number) => Uint8Array.of(40, unit >> 8, unit, 0);
    const seen = new Set(Array.from({ length: 4_096 }, (_, unit) => unitOf(bytes(unit), 24)));
    expect(seen.size).toBe(4_096);
  });
});
