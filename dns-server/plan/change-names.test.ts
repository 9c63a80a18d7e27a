/** A plan that is prepared from another one is the same as one that is prepared from nothing. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyDelta } from '../../contract/plans/plan-delta.ts';
import { planDigest } from '../../contract/plans/published-plan.ts';
import { type RoutingDomain, routingPlan } from '../../contract/plans/routing-plan.ts';
import { domainSteps, rowsAfter, STEPS_PLAN } from '../testing/domain-steps.ts';
import { published, REVISION, testDomain, testPlan } from '../testing/routing-plan.ts';
import { preparePlan } from './prepare.ts';
import type { NameEntry, PreparedPlan } from './prepared-plan.ts';

const shown = ({ key, zone, apex, sets, domain: own, cut, dname }: NameEntry) => ({
  key,
  zone: zone.key,
  apex,
  sets: [...sets].sort(([a], [b]) => a - b),
  domain: own && [own.label, own.spec, own.since],
  cut: cut?.key,
  dname: dname?.key,
});

const contentOf = ({ names, below, contested, domains, published: { revision } }: PreparedPlan) => ({
  names: [...names.values()].map(shown).sort((a, b) => (a.key < b.key ? -1 : 1)),
  below: Object.fromEntries(below),
  contested,
  domains: domains.map(({ spec, label, seed, since }) => ({ spec, label, seed, since })),
  revision,
});

test('whatever domains come, go and change, and wherever they stand', () => {
  let takenOver = 0;
  fc.assert(
    fc.property(domainSteps, (all) => {
      let rows = new Map<number, RoutingDomain>();
      let held: PreparedPlan | undefined;
      for (const [step, sketches] of all.entries()) {
        rows = rowsAfter(rows, sketches);
        const plan = { ...STEPS_PLAN, domains: [...rows.values()] };
        const next = { ...published(STEPS_PLAN, { epoch: 3, seq: 7 + step }), plan };
        const since = Object.fromEntries(plan.domains.map(({ uid }) => [uid, { epoch: 3, seq: step >> 2 }]));
        const before = held && contentOf(held);
        const changed: PreparedPlan = preparePlan({ ...next, since }, held);
        expect(contentOf(changed)).toEqual(contentOf(preparePlan({ ...next, since })));
        // What is in force answers on meanwhile.
        if (held) expect(contentOf(held)).toEqual(before);
        if (held?.nodes === changed.nodes) takenOver++;
        held = changed;
      }
    }),
    { seed: 20261123, numRuns: 300 },
  );
  expect(takenOver).toBeGreaterThan(100);
});

test('a delta of one domain leaves the others the very same; one of a node does not', () => {
  const others = Array.from({ length: 5 }, (_, index) =>
    testDomain({ uid: `uid-${index}`, cname: `d${index}.demo.cdn.example.net` }),
  );
  const plan = testPlan({ domains: others });
  const held = published(plan);
  const before = preparePlan(held);
  const after = (section: 'domains' | 'nodes', row: object) => {
    const rows = [...plan[section]].map((each, index) => (index === 2 ? row : each));
    const digest = planDigest({ ...plan, [section]: rows });
    const lists = { [section]: [{ at: 2, remove: 1, insert: [row] }] };
    const delta = { revision: REVISION, digest, run: 'test', base: held.digest, lists, values: {} };
    const { domains } = preparePlan(applyDelta(held, delta, routingPlan), before);
    return domains.map((each, index) => each === before.domains[index]);
  };
  expect(after('domains', { ...others[2], ttl: 31 })).toEqual([true, true, false, true, true]);
  expect(after('nodes', { ...plan.nodes[2], weight: 7 })).toEqual(others.map(() => false));
});

test('a domain that contradicts the plan is refused as in a whole one', () => {
  const plan = testPlan();
  const before = preparePlan(published(plan));
  const domains = [testDomain({ set: 'nope' })];
  expect(() => preparePlan({ ...published(plan), plan: { ...plan, domains } }, before)).toThrow(
    'names the candidate set nope',
  );
});
