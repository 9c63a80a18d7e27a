/**
 * Which of the statuses that changed are written now: an API server has other things to do than to hear of ten thousand
 * domains at once. What waits is looked at anew each time, so that only its newest form is ever written. Pure.
 */
import type { Statuses, StatusRecord } from './record.ts';
import { statusOf } from './record.ts';

/** In all, on the long run. */
export const WRITES_PER_SECOND = 20;
/** What a quiet time saves up: an ordinary change of some resources is told at once. */
const SAVED_UP = 60;

export interface Budget {
  left: number;
  /** When that was, in milliseconds since the epoch. */
  at: number;
}

export const fullBudget = (now: number): Budget => ({ left: SAVED_UP, at: now });

export function refilled({ left, at }: Budget, now: number): Budget {
  return { left: Math.min(SAVED_UP, left + ((now - at) / 1_000) * WRITES_PER_SECOND), at: now };
}

/**
 * Lower goes first. That a node has to revalidate comes before the end of the job that it missed; then what somebody
 * waits for who changed a spec; what changes by itself comes last, and of that a mere revision after all.
 */
export function urgency(record: StatusRecord, before: StatusRecord | undefined): number {
  const [node, old] = [statusOf(record, 'EdgeNode'), statusOf(before, 'EdgeNode')];
  const isForced = JSON.stringify(node?.forced) !== JSON.stringify(old?.forced);
  const promised = isForced || node?.mustRevalidate !== old?.mustRevalidate;
  if (node && promised) return 0;
  if (record.ref.kind === 'PurgeJob') return 1;
  if (record.uid !== before?.uid || record.generation !== before.generation) return 2;
  return isNews(record, before) ? 3 : 4;
}

/** A condition turned. */
function isNews({ status }: StatusRecord, before: StatusRecord): boolean {
  const known = new Map(before.status.conditions?.map(({ type, status: value }) => [type, value] as const));
  return (status.conditions ?? []).some(({ type, status: value }) => known.get(type) !== value);
}

/** The statuses of which some are not written yet: those are as they were before. */
export function withoutDeferred(before: Statuses, after: Statuses, deferred: readonly string[]): Statuses {
  if (deferred.length === 0) return after;
  const written = new Map(after);
  for (const key of deferred) {
    const old = before.get(key);
    if (old) written.set(key, old);
    else written.delete(key);
  }
  return written;
}
