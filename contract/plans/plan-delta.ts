/**
 * A plan as the difference to one that the agent holds: a change of one domain among ten thousand is one row.
 *
 *     held plan ──splices──> plan, in the same order ──digest of its parts──> must be the one announced
 *
 * The base is named by its digest, not by its revision: an operator that started anew sends an agent that holds the
 * same content nothing but the new revision.
 */
import { z } from 'zod';
import { invalidPlan } from './invalid-plan.ts';
import { type PublishedPlan, planDigest } from './published-plan.ts';
import { revision } from './revision.ts';

/** In place of `remove` rows from `at` on, counted in the base, come these. Splices are in order and do not overlap. */
const splice = z.strictObject({
  at: z.int().min(0),
  remove: z.int().min(0),
  insert: z.array(z.unknown()),
});
export type Splice = z.infer<typeof splice>;

export const planDelta = z.strictObject({
  revision,
  /** Of the plan that comes out. */
  digest: z.string().length(64),
  run: z.string(),
  /** The digest of the plan that it is taken against. */
  base: z.string().length(64),
  /** The sections that are lists. */
  lists: z.record(z.string(), z.array(splice)),
  /** The other sections that changed, whole. */
  values: z.record(z.string(), z.unknown()),
  /** Only in routing plans. `keep`: against what is held; without it, all there is. */
  since: z
    .strictObject({ keep: z.boolean(), set: z.record(z.string(), revision), gone: z.array(z.string()) })
    .optional(),
});
export type PlanDelta = z.infer<typeof planDelta>;

/** The delta does not lead from what is held to what was announced: the whole plan is needed, and nobody is to blame. */
export class Unmatched extends Error {}

/** The plan that a delta makes of the one held: what it inserts is checked, all else is as held, and the digest tells. */
export function applyDelta<P extends PublishedPlan>(held: P, delta: PlanDelta, schema: z.ZodObject): P {
  const next = unchecked(held, delta, schema);
  checkDigest(next);
  return next;
}

/** The same without the digest, for a row of deltas of which only the last one's matters. */
export function unchecked<P extends PublishedPlan>(held: P, delta: PlanDelta, schema: z.ZodObject): P {
  const { revision: newer, digest, run, base } = delta;
  if (base !== held.digest)
    throw new Unmatched(`the delta is against ${base.slice(0, 12)}, held is ${held.digest.slice(0, 12)}`);
  const plan = applySections(held.plan, delta, schema);
  // Its sections were held by P or checked by P's schema, which TypeScript can't see.
  return { ...held, revision: newer, digest, run, plan, ...sinceAfter(held, delta) } as P;
}

export function checkDigest({ plan, digest }: PublishedPlan): void {
  const found = planDigest(plan);
  if (found !== digest)
    throw new Unmatched(`the delta leads to ${found.slice(0, 12)}, not to ${digest.slice(0, 12)}`);
}

function applySections(plan: object, { lists, values }: PlanDelta, schema: z.ZodObject): object {
  const changed: Record<string, unknown> = {};
  for (const [section, splices] of Object.entries(lists)) {
    const rows: unknown = Reflect.get(plan, section);
    const list: unknown = schema.shape[section];
    if (!Array.isArray(rows) || !(list instanceof z.ZodArray))
      throw new Unmatched(`the plan has no list ${section}`);
    changed[section] = spliced(rows, splices, (insert) => checked(section, z.array(list.element), insert));
  }
  const read = schema.partial().safeParse(values);
  if (!read.success) throw invalidPlan(values, read.error);
  return { ...plan, ...changed, ...read.data };
}

function checked(section: string, schema: z.ZodArray, insert: readonly unknown[]): unknown[] {
  const read = z.strictObject({ [section]: schema }).safeParse({ [section]: insert });
  if (!read.success) throw invalidPlan({ [section]: insert }, read.error);
  return z.array(z.unknown()).parse(read.data[section]);
}

function spliced(
  rows: readonly unknown[],
  splices: readonly Splice[],
  check: (insert: readonly unknown[]) => unknown[],
): unknown[] {
  const result: unknown[] = [];
  let from = 0;
  for (const { at, remove, insert } of splices) {
    if (at < from || at + remove > rows.length) throw new Unmatched(`no ${remove} rows at ${at}`);
    for (; from < at; from++) result.push(rows[from]);
    for (const row of check(insert)) result.push(row);
    from = at + remove;
  }
  for (; from < rows.length; from++) result.push(rows[from]);
  return result;
}

/** The same record where nothing changed, so that nobody goes through ten thousand rows for it. */
function sinceAfter(held: PublishedPlan, { since }: PlanDelta) {
  if (!since || !('since' in held)) return {};
  if (since.keep && since.gone.length === 0 && Object.keys(since.set).length === 0) return {};
  const rows = { ...(since.keep && held.since), ...since.set };
  for (const uid of since.gone) delete rows[uid];
  return { since: rows };
}

/** A delta's splices from one list to another, by the digests of their rows. Rows that both have, in order, stay. */
export function splicesBetween(
  before: readonly string[],
  after: readonly string[],
  rows: readonly unknown[],
) {
  const places = new Map(before.map((digest, index) => [digest, index] as const));
  const splices: Splice[] = [];
  let at = 0;
  let insert: unknown[] = [];
  const close = (until: number) => {
    if (until > at || insert.length > 0) splices.push({ at, remove: until - at, insert });
    insert = [];
    at = until;
  };
  for (const [index, digest] of after.entries()) {
    const place = places.get(digest);
    if (place === undefined || place < at) insert.push(rows[index]);
    else {
      close(place);
      at = place + 1;
    }
  }
  close(before.length);
  return splices;
}
