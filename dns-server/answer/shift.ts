/**
 * Timed shifts: which of a domain's are in force, and on which side of them a unit of clients is. The hash is the
 * domain's own, apart from that of the rendezvous: a shift moves its share of every node's clients alike. Pure.
 */
import type { PreparedDomain, PreparedShift } from '../plan/prepared-plan.ts';
import { drawn } from './rendezvous.ts';

export type Side = 'None' | 'Moved' | 'Kept';

export function shiftsInForce({ shifts }: PreparedDomain, now: number): PreparedShift[] {
  return shifts.filter(({ from, until }) => from <= now && now < until);
}

/** The shift that has this unit, if one has: intervals of shifts that are in force together do not overlap. */
export function shiftOf(
  shifts: readonly PreparedShift[],
  { seed }: PreparedDomain,
  unit: number,
): PreparedShift | undefined {
  if (shifts.length === 0) return undefined;
  const at = drawn(unit, seed);
  return shifts.find(({ start, end }) => start <= at && at < end);
}

/** Whether two clients of one place can be on different sides. */
export function divides(shifts: readonly PreparedShift[]): boolean {
  return shifts.some(({ start, end }) => end - start < 1);
}

/** The next moment at which a shift of some domain begins or ends. */
export function nextBoundary(domains: readonly PreparedDomain[], now: number): number | undefined {
  let next: number | undefined;
  for (const { shifts } of domains) {
    for (const { from, until } of shifts) {
      const moment = from > now ? from : until;
      if (moment > now && (next === undefined || moment < next)) next = moment;
    }
  }
  return next;
}
