/** Tables that are made from those before are the same as tables that are made from nothing. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RoutingDomain } from '../../contract/plans/routing-plan.ts';
import type { CompiledGeo } from '../geo/compile.ts';
import { buildPrefixTable, NOBODY } from '../geo/prefix-table.ts';
import { preparePlan } from '../plan/prepare.ts';
import type { PreparedPlan } from '../plan/prepared-plan.ts';
import { domainSteps, FREE_NAMES, rowsAfter, STEPS_PLAN, TAKEN_NAMES } from '../testing/domain-steps.ts';
import { published, testDomain } from '../testing/routing-plan.ts';
import { keyOfName } from '../wire/name.ts';
import { type FastPlan, prepareFastPlan } from './fast-plan.ts';
import { classOf, findName, numberOf } from './name-table.ts';

const SEED = 20_261_123;
const GEO: CompiledGeo = {
  ipv4: buildPrefixTable([NOBODY], 32, () => 0),
  ipv6: buildPrefixTable([NOBODY], 128, () => 0),
  results: [],
};

const KEYS = [...FREE_NAMES, ...TAKEN_NAMES].map(keyOfName);

function lookUp({ tables, domains }: FastPlan, key: string) {
  const bytes = Buffer.from(key, 'latin1');
  const place = findName(
    tables.names,
    new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    0,
    bytes.length,
  );
  if (place < 0) return undefined;
  return { domain: domains[numberOf(tables.names, place)], class: classOf(tables.names, place) };
}

/** By name its domain, and the names that are in the same class; what numbers those have is no matter. */
function contentOf(plan: FastPlan) {
  const found = KEYS.map((key) => lookUp(plan, key));
  return found.map((one) => ({
    domain: one?.domain && [one.domain.spec, one.domain.since],
    alike: found.map((other) => one !== undefined && other?.class === one.class),
  }));
}

/** Whether every domain lies between the oldest and the newest of its class. */
function isSpanned({ classes, ...plan }: FastPlan): boolean {
  return KEYS.every((key) => {
    const found = lookUp({ classes, ...plan }, key);
    const { oldest, newest } = classes.list[found?.class ?? -1] ?? {};
    const seq = found?.domain?.since?.seq;
    return seq === undefined || ((oldest?.since?.seq ?? 0) <= seq && seq <= (newest?.since?.seq ?? 0));
  });
}

test('whatever domains come, go and change, and wherever they stand', () => {
  let takenOver = 0;
  fc.assert(
    fc.property(domainSteps, (all) => {
      let rows = new Map<number, RoutingDomain>();
      let held: { plan: PreparedPlan; fast: FastPlan } | undefined;
      for (const [step, sketches] of all.entries()) {
        rows = rowsAfter(rows, sketches);
        const plan = { ...STEPS_PLAN, domains: [...rows.values()] };
        const next = { ...published(STEPS_PLAN, { epoch: 3, seq: 7 + step }), plan };
        const since = Object.fromEntries(plan.domains.map(({ uid }) => [uid, { epoch: 3, seq: step >> 1 }]));
        const prepared = preparePlan({ ...next, since }, held?.plan);
        const before = held && contentOf(held.fast);
        const fast = prepareFastPlan(prepared, GEO, held?.fast);
        expect(contentOf(fast)).toEqual(contentOf(prepareFastPlan(prepared, GEO)));
        expect(isSpanned(fast)).toBe(true);
        // Threads look up in the tables of before until they hear of these.
        if (held) expect(contentOf(held.fast)).toEqual(before);
        if (held && fast.classes === held.fast.classes) takenOver++;
        held = { plan: prepared, fast };
      }
    }),
    { seed: SEED, numRuns: 300 },
  );
  expect(takenOver).toBeGreaterThan(100);
});

test.each([
  ['comes and goes', (index: number) => `d${index}.demo.cdn.example.net`],
  ['changes', () => 'd.demo.cdn.example.net'],
])('a name that %s a thousand times leaves little behind', (_, cname) => {
  const [first, ...others] = Array.from({ length: 3_000 }, (_, index) =>
    testDomain({ uid: `uid-${index}`, cname: cname(index), ttl: 30 + index }),
  );
  const whole = published({ ...STEPS_PLAN, domains: [testDomain(), ...(first ? [first] : [])] });
  let plan = preparePlan(whole);
  let fast = prepareFastPlan(plan, GEO);
  for (const domain of others) {
    const domains = [...whole.plan.domains.slice(0, 1), domain];
    plan = preparePlan({ ...whole, plan: { ...whole.plan, domains } }, plan);
    fast = prepareFastPlan(plan, GEO, fast);
  }
  expect(lookUp(fast, keyOfName(cname(2_999)))?.domain?.spec.ttl).toBe(3_029);
  expect(fast.tables.names.slots.length).toBeLessThan(64);
  expect(fast.domains.length).toBeLessThan(64);
  expect(fast.classes.list.length).toBeLessThan(1_100);
});
