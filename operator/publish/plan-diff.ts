/** The delta that leads an agent from a plan that it holds to a newer one. Pure. */
import { type PlanDelta, type Splice, splicesBetween } from '../../contract/plans/plan-delta.ts';
import { type PublishedPlan, partDigest } from '../../contract/plans/published-plan.ts';
import { compareRevisions } from '../../contract/plans/revision.ts';

/** Nothing where only the whole plan says it: a section is there no more. */
export function planDelta(base: PublishedPlan, next: PublishedPlan): PlanDelta | undefined {
  const lists: Record<string, Splice[]> = {};
  const values: Record<string, unknown> = {};
  for (const section of new Set([...Object.keys(base.plan), ...Object.keys(next.plan)])) {
    const [before, after]: unknown[] = [Reflect.get(base.plan, section), Reflect.get(next.plan, section)];
    if (before === after) continue;
    if (after === undefined) return undefined;
    if (Array.isArray(before) && Array.isArray(after)) {
      const splices = splicesOf(before, after);
      if (splices.length > 0) lists[section] = splices;
    } else if (before === undefined || partDigest(before) !== partDigest(after)) values[section] = after;
  }
  const { revision, digest, run } = next;
  return { revision, digest, run, base: base.digest, lists, values, ...sinceBetween(base, next) };
}

/** Ten thousand rows that both have, the very same, stand before and behind the one that changed. */
function splicesOf(before: readonly unknown[], after: readonly unknown[]): Splice[] {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const old = before.slice(head, before.length - tail);
  const fresh = after.slice(head, after.length - tail);
  const splices = splicesBetween(old.map(partDigest), fresh.map(partDigest), fresh);
  return splices.map(({ at, ...splice }) => ({ at: at + head, ...splice }));
}

/** A plan of another run may be known by its digest; what the agent keeps beside it is not. */
function sinceBetween(base: PublishedPlan, next: PublishedPlan): Pick<PlanDelta, 'since'> {
  if (!('since' in next) || !('since' in base)) return {};
  if (base.since === next.since) return { since: { keep: true, set: {}, gone: [] } };
  const set = Object.entries(next.since).filter(([uid, revision]) => {
    const before = base.since[uid];
    return !before || compareRevisions(before, revision) !== 0;
  });
  const gone = Object.keys(base.since).filter((uid) => !next.since[uid]);
  return { since: { keep: true, set: Object.fromEntries(set), gone } };
}
