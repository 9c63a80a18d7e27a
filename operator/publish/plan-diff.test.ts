/** What an agent makes of a delta is the plan that it was made for, whatever the two plans are. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EdgeDomain } from '../../contract/plans/edge-plan.ts';
import { edgePlan } from '../../contract/plans/edge-plan.ts';
import { applyDelta, planDelta as deltaSchema } from '../../contract/plans/plan-delta.ts';
import {
  type PublishedEdgePlan,
  type PublishedRoutingPlan,
  planDigest,
} from '../../contract/plans/published-plan.ts';
import { routingPlan } from '../../contract/plans/routing-plan.ts';
import { planDelta } from './plan-diff.ts';

const SEED = 20_261_122;

const domain = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
    linger: fc.constantFrom(600, 700),
  })
  .map(
    ({ name, linger }): EdgeDomain => ({
      uid: `uid-${name}`,
      namespace: 'demo',
      name,
      hostnames: [`${name}.example.com`],
      origin: { name: 'main', url: 'http://192.0.2.1' },
      rules: [],
      linger,
    }),
  );
// In any order, also with the same domain twice: the delta must not lean on what compile happens to do.
const edge = fc
  .record({ seq: fc.nat(99), domains: fc.array(domain, { maxLength: 10 }) })
  .map(({ seq, domains }): PublishedEdgePlan => {
    const plan = { domains };
    return { revision: { epoch: 1, seq }, digest: planDigest(plan), run: 'r', plan };
  });

/** As it comes over the stream. */
const sent = (
  base: PublishedEdgePlan | PublishedRoutingPlan,
  next: PublishedEdgePlan | PublishedRoutingPlan,
) => deltaSchema.parse(JSON.parse(JSON.stringify(planDelta(base, next))));

test('an edge plan', () => {
  fc.assert(
    fc.property(edge, edge, (base, next) => {
      expect(applyDelta(base, sent(base, next), edgePlan)).toEqual(next);
    }),
    { seed: SEED },
  );
});

const revision = fc.record({ epoch: fc.constant(1), seq: fc.nat(3) });
const routing = fc
  .record({
    defaultRegion: fc.constantFrom('', 'a'),
    perClient: fc.constantFrom(5, 6),
    regions: fc.uniqueArray(fc.constantFrom('x', 'y', 'z')),
    since: fc.dictionary(fc.constantFrom('u', 'v', 'w'), revision, { noNullPrototype: true }),
  })
  .map(({ defaultRegion, perClient, regions, since }): PublishedRoutingPlan => {
    const plan = {
      zones: [],
      rateLimit: { perClient, exempt: [] },
      regions: regions.map((name) => ({ name, countries: [], subdivisions: [], asns: [], cidrs: [] })),
      defaultRegion,
      nodes: [],
      candidateSets: [],
      domains: [],
    };
    return { revision: { epoch: 1, seq: 1 }, digest: planDigest(plan), run: 'r', plan, since };
  });

test('a routing plan, and what lies beside it', () => {
  fc.assert(
    fc.property(routing, routing, (base, next) => {
      expect(applyDelta(base, sent(base, next), routingPlan)).toEqual(next);
    }),
    { seed: SEED },
  );
});

test('one changed row among ten thousand is one row', () => {
  const rows = Array.from({ length: 10_000 }, (_, index) => ({
    ...fc.sample(domain, { numRuns: 1, seed: SEED })[0],
    name: `d${index}`,
  }));
  const plan = (domains: object[]) =>
    ({
      revision: { epoch: 1, seq: 1 },
      digest: planDigest({ domains }),
      run: 'r',
      plan: { domains },
    }) as PublishedEdgePlan;
  const changed = rows.map((row) => (row.name === 'd5000' ? { ...row, linger: 900 } : row));
  const delta = planDelta(plan(rows), plan(changed));
  expect(delta?.lists).toEqual({ domains: [{ at: 5_000, remove: 1, insert: [changed[5_000]] }] });
  expect(JSON.stringify(delta).length).toBeLessThan(700);
});
