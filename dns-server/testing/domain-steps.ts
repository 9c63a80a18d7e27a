/** Domains that come, go and change, by fast-check: many below one another, few where something is in the way. */
import fc from 'fast-check';
import type { RoutingDomain } from '../../contract/plans/routing-plan.ts';
import { planWithRecords } from './answering.ts';
import { testDomain, testPlan } from './routing-plan.ts';

const { zones } = planWithRecords([
  'www A 192.0.2.7',
  'txt TXT here',
  'sub NS ns.sub.cdn.example.net.',
  'ns.sub A 192.0.2.54',
  'old DNAME new.cdn.example.net.',
  'deep.er.still TXT here',
]);

export const STEPS_PLAN = {
  ...testPlan(),
  // One inside the other: the names between them stay, whatever comes and goes there.
  zones: zones.flatMap((zone) => [zone, { ...zone, name: `zone.x.a.${zone.name}`, records: [] }]),
};

const absolute = (name: string) => `${name}.cdn.example.net`;
/** One below the other, so that names between them come and go. */
export const FREE_NAMES = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((name) =>
  [name, `x.${name}`, `y.x.${name}`, `z.y.x.${name}`].map(absolute),
);
/** With something in the way: records, a delegation, a DNAME, a node, the apex; or not ours. */
export const TAKEN_NAMES = ['www', 'txt', 'z.txt', 'sub', 'in.sub', 'in.old', 'er.still', 'bj-1.node']
  .map(absolute)
  .concat('cdn.example.net', 'outside.example.com');
const name = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom(...FREE_NAMES) },
  { weight: 1, arbitrary: fc.constantFrom(...TAKEN_NAMES) },
);

const domain = fc.record({
  cname: name,
  hostnames: fc.uniqueArray(name, { maxLength: 1 }),
  ttl: fc.integer({ min: 30, max: 32 }),
});
type Sketch = typeof domain extends fc.Arbitrary<infer T> ? T : never;

/** Each step is a list of domains by place; those that are as before keep their very rows, as after a delta. */
export const domainSteps = fc.array(fc.array(fc.option(domain), { minLength: 4, maxLength: 4 }), {
  minLength: 2,
  maxLength: 6,
});

export function rowsAfter(held: ReadonlyMap<number, RoutingDomain>, sketches: readonly (Sketch | null)[]) {
  const rows = sketches.flatMap((sketch, place): [number, RoutingDomain][] => {
    const before = held.get(place);
    // Half of the places are left as they are, so that much stays.
    if (before && (sketch === null || sketch.ttl === 30)) return [[place, before]];
    return sketch ? [[place, testDomain({ ...sketch, uid: `uid-${place}`, name: `d${place}` })]] : [];
  });
  return new Map(rows);
}
