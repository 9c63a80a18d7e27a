/**
 * Domains that left the plan and are served on for a while, so that clients with an old DNS answer are not turned away
 * (state.md, local rule of an edge). Pure; `plans.ts` keeps the rows over a restart.
 */
import { z } from 'zod';
import { type EdgeDomain, edgePlan } from '../../contract/plans/edge-plan.ts';

export const lingeringDomains = z.array(
  z.strictObject({
    domain: edgePlan.shape.domains.element,
    /** Milliseconds since the epoch. */
    until: z.number(),
  }),
);

export type LingeringDomain = z.infer<typeof lingeringDomains>[number];

/** The rows after a plan change: those that wait still, and the domains that this change takes away. */
export function lingerAfter(
  change: { before: readonly EdgeDomain[]; after: readonly EdgeDomain[] },
  rows: readonly LingeringDomain[],
  now: number,
): LingeringDomain[] {
  const stays = new Set(change.after.map(({ uid }) => uid));
  const known = new Set(rows.map(({ domain }) => domain.uid));
  const leaving = change.before
    .filter(({ uid }) => !stays.has(uid) && !known.has(uid))
    .map((domain) => ({ domain, until: now + domain.linger * 1_000 }));
  return [...rows, ...leaving].filter(({ domain, until }) => !stays.has(domain.uid) && until > now);
}

/** Of a domain that is not told. */
const MIN_LINGER_MS = 3_600_000;

/** For how long what any of the domains needs may be needed once the operator takes it away. */
export function longestLingerMs(domains: Iterable<EdgeDomain>): number {
  let longest = MIN_LINGER_MS;
  for (const { linger } of domains) longest = Math.max(longest, linger * 1_000);
  return longest;
}
