/** One resource in full: its row, its conditions, and the nodes that a purge waits for. Pure. */
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { textTable } from '../../lib/text-table.ts';
import { ageText } from './age.ts';
import { tables } from './tables.ts';

export function detail(view: ResourceView, now: number): string[] {
  const { status } = view;
  const conditions = (status.conditions ?? []).map(({ type, status: holds, reason, message, ...row }) => [
    type,
    holds,
    reason,
    ageText(row.lastTransitionTime, now) ?? '',
    message,
  ]);
  const awaited = 'awaited' in status ? (status.awaited ?? []) : [];
  return [
    ...tables([view], now),
    ...section([['CONDITION', 'STATUS', 'REASON', 'FOR', 'MESSAGE'], ...conditions]),
    ...section([['AWAITED NODE', 'REASON'], ...awaited.map(({ node, reason }) => [node, reason])]),
  ];
}

/** Nothing, when there is a header alone. */
function section(rows: string[][]): string[] {
  return rows.length > 1 ? ['', ...textTable(rows)] : [];
}
