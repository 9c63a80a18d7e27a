/**
 * What to hold when a newer plan comes. A domain that is held already keeps the lower `since`: an operator that lost
 * its memory numbers all domains anew, and would otherwise take nodes out of answers that they serve well.
 */
import type { PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import { compareRevisions } from '../../contract/plans/revision.ts';

export function keepLowerSince(
  held: PublishedRoutingPlan,
  newer: PublishedRoutingPlan,
): PublishedRoutingPlan {
  // A delta that brings no new domain leaves the very rows that are held.
  if (held.since === newer.since) return newer;
  const since = Object.fromEntries(
    Object.entries(newer.since).map(([uid, revision]) => {
      const before = held.since[uid];
      return [uid, before && compareRevisions(before, revision) < 0 ? before : revision];
    }),
  );
  return { ...newer, since };
}
