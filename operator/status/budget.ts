/**
 * Which of the statuses that changed are written now: an API server has other things to do than to hear of ten thousand
 * domains at once. What waits is looked at anew each time, so that only its newest form is ever written. Pure.
 */
import type { Condition } from '../../contract/kinds/conditions.ts';
import { withEntries } from '../../lib/patched-map.ts';
import { BEHIND } from './node-status.ts';
import type { Statuses, StatusRecord } from './record.ts';
import { statusOf } from './record.ts';

/** In all, on the long run; and what a quiet time saves up, so that an ordinary change of some resources is told at once. */
const NEWS = { perSecond: 50, savedUp: 100 };
/** A thousand nodes ack each plan: that may take minutes until it is all written down. */
const REVISIONS = { perSecond: 3, savedUp: 12 };
/** From this urgency on it is a mere revision. */
const MERE = 4;

export interface Budget {
  news: number;
  revisions: number;
  /** When that was, in milliseconds since the epoch. */
  at: number;
}

export const fullBudget = (now: number): Budget => ({
  news: NEWS.savedUp,
  revisions: REVISIONS.savedUp,
  at: now,
});

export function refilled({ news, revisions, at }: Budget, now: number): Budget {
  const more = (left: number, { perSecond, savedUp }: typeof NEWS) =>
    Math.min(savedUp, left + ((now - at) / 1_000) * perSecond);
  return { news: more(news, NEWS), revisions: more(revisions, REVISIONS), at: now };
}

/** What may be written now, by urgency, and what is left then. */
export function spend(
  budget: Budget,
  byUrgency: ReadonlyMap<number, readonly StatusRecord[]>,
): { chosen: Map<number, StatusRecord[]>; left: Budget } {
  const left = { ...budget };
  const chosen = new Map<number, StatusRecord[]>();
  for (const [level, rows] of [...byUrgency].sort(([a], [b]) => a - b)) {
    const purse = level < MERE ? 'news' : 'revisions';
    const taken = rows.slice(0, Math.floor(left[purse]));
    left[purse] -= taken.length;
    if (taken.length > 0) chosen.set(level, taken);
  }
  return { chosen, left };
}

/**
 * Lower goes first. That a node has to revalidate comes before the end of the job that it missed; then what somebody
 * waits for who changed a spec; what changes by itself comes last, and of that a mere revision after all: which one a
 * node has, and whether that is the newest already.
 */
export function urgency(record: StatusRecord, before: StatusRecord | undefined): number {
  const [node, old] = [statusOf(record, 'EdgeNode'), statusOf(before, 'EdgeNode')];
  const isForced = JSON.stringify(node?.forced) !== JSON.stringify(old?.forced);
  const promised = isForced || node?.mustRevalidate !== old?.mustRevalidate;
  if (node && promised) return 0;
  if (record.ref.kind === 'PurgeJob') return 1;
  if (record.uid !== before?.uid || record.generation !== before.generation) return 2;
  if (isNews(record, before)) return 3;
  return node?.conditions?.some(isBehind) ? MERE : MERE + 1;
}

/** A condition turned. A plan that is slow to take may turn that of every node: that alone is no news. */
function isNews({ status }: StatusRecord, before: StatusRecord): boolean {
  const { conditions = [] } = status;
  const known = new Map(before.status.conditions?.map((old) => [old.type, old] as const));
  const turned = conditions.filter(({ type, status: value }) => known.get(type)?.status !== value);
  return turned.some((condition) => !isBehind(condition) && !isBehind(known.get(condition.type)));
}

const isBehind = (condition: Condition | undefined) => condition?.reason === BEHIND;

/** The statuses of which some are not written yet: those are as they were before. */
export function withoutDeferred(before: Statuses, after: Statuses, deferred: readonly string[]): Statuses {
  const known = new Map<string, StatusRecord>();
  const unwritten = new Set<string>();
  for (const key of deferred) {
    const old = before.get(key);
    if (old) known.set(key, old);
    else unwritten.add(key);
  }
  const written = withEntries(after, known);
  return unwritten.size === 0 ? written : new Map([...written].filter(([key]) => !unwritten.has(key)));
}
