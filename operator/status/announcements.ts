/**
 * Which changes of a status are news: they become Events of the object, for `kubectl describe` and alerting. Reasons are
 * those of the conditions. A resource that merely waits, as each does at first, is none. Pure.
 */
import type { Condition } from '../../contract/kinds/conditions.ts';

export interface Announcement {
  type: 'Normal' | 'Warning';
  reason: string;
  note: string;
}

type Row = Condition | undefined;

/** By condition type: what a row is news of, given the row before it. */
const NEWS: Record<string, (now: Condition, before: Row) => Announcement['type'] | undefined> = {
  Accepted: (now, before) => {
    if (now.status === before?.status && now.reason === before.reason) return undefined;
    if (now.status === 'False') return 'Warning';
    return before ? 'Normal' : undefined;
  },
  Issued: (now, before) => (isTrouble(now) && now.reason !== before?.reason ? 'Warning' : undefined),
  CertificateReady: (now, before) =>
    now.status === 'False' && before?.status === 'True' && before.reason !== 'NoTls' ? 'Warning' : undefined,
  Ready: (now, before) => {
    if (now.status === before?.status) return undefined;
    if (now.status === 'True') return 'Normal';
    return before?.status === 'True' ? 'Warning' : undefined;
  },
  Complete: (now, before) => (now.status === 'True' && before?.status !== 'True' ? 'Normal' : undefined),
  Failed: (now, before) => (now.status === 'True' && before?.status !== 'True' ? 'Warning' : undefined),
};

/** What merely takes its time is none. */
const isTrouble = ({ status, reason }: Condition) =>
  status === 'False' && !['Ordering', 'NotOrdered'].includes(reason);

export function announcements(before: readonly Condition[], now: readonly Condition[]): Announcement[] {
  // A job's Ready repeats its Complete and Failed.
  const isJob = now.some(({ type }) => type === 'Complete');
  return now
    .filter(({ type }) => !(isJob && type === 'Ready'))
    .flatMap((row) => {
      const type = NEWS[row.type]?.(
        row,
        before.find((other) => other.type === row.type),
      );
      return type ? [{ type, reason: row.reason, note: row.message }] : [];
    });
}
