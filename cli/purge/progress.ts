/** How far a purge came, in words. Pure. */
import type { PurgeJobStatus } from '../../contract/kinds/purge-job.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { conditionOf, textAt } from '../resource-views.ts';

export type Outcome = 'Complete' | 'Failed' | undefined;

export function outcomeOf(view: ResourceView | undefined): Outcome {
  if (!view) return undefined;
  if (conditionOf(view, 'Complete')?.status === 'True') return 'Complete';
  return conditionOf(view, 'Failed')?.status === 'True' ? 'Failed' : undefined;
}

/** `2 of 3 nodes acked; waiting for la-1 (NotConnected)` */
export function progressText(view: ResourceView<'PurgeJob'> | undefined): string {
  if (!view?.status.nodes) return 'not started yet';
  const { targeted, acked } = view.status.nodes;
  const counts = `${acked} of ${targeted} node${targeted === 1 ? '' : 's'} acked`;
  const awaited = awaitedText(view.status);
  return awaited === '' ? counts : `${counts}; waiting for ${awaited}`;
}

export function awaitedText({ awaited = [], nodes }: PurgeJobStatus): string {
  const named = awaited.map(({ node, reason }) => `${node} (${reason})`);
  const missing = (nodes?.targeted ?? 0) - (nodes?.acked ?? 0) - named.length;
  return [...named, ...(missing > 0 ? [`${missing} more`] : [])].join(', ');
}

export function finalText(
  name: string,
  view: ResourceView<'PurgeJob'> | undefined,
  waitedMs: number,
): string {
  const outcome = outcomeOf(view);
  const seconds = Math.round(waitedMs / 1_000);
  if (!view) {
    return `${name}: not taken up after ${seconds} s: no operator runs on this state folder; the next one will`;
  }
  if (outcome === undefined) {
    return `${name}: still running after ${seconds} s: ${progressText(view)}; it goes on, see \`weir get purgejobs\``;
  }
  const objects = view.status.objects ?? 0;
  const done = DONE[textAt(view.spec, 'action')] ?? 'dropped';
  const counts = `${progressText(view)}, ${objects} object${objects === 1 ? '' : 's'} ${done}`;
  if (outcome === 'Complete') return `${name}: Complete: ${counts}`;
  return `${name}: Failed: ${conditionOf(view, 'Failed')?.message ?? ''}${view.status.nodes ? ` (${counts})` : ''}`;
}

const DONE: Readonly<Record<string, string>> = { SoftPurge: 'marked stale', Prefetch: 'fetched' };
