/** What a new leader takes up of the statuses that an earlier one wrote down. Pure. */
import type { EdgeNodeStatus } from '../../contract/kinds/edge-node.ts';
import type { PurgeJobStatus } from '../../contract/kinds/purge-job.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type { Restored } from '../decide/state.ts';
import { type Statuses, statusOf } from './record.ts';

/** `since` of domains, by uid. */
export function restoredSince(records: Statuses): ReadonlyMap<string, Revision> {
  const rows = [...records.values()].flatMap((record) => {
    const since = statusOf(record, 'CdnDomain')?.since;
    return since ? [[record.uid, since] as const] : [];
  });
  return new Map(rows);
}

export function restoredStatuses(records: Statuses): Restored {
  const nodes = new Map<string, EdgeNodeStatus>();
  const jobs = new Map<string, PurgeJobStatus>();
  for (const record of records.values()) {
    const node = statusOf(record, 'EdgeNode');
    const job = statusOf(record, 'PurgeJob');
    if (node) nodes.set(record.ref.name, node);
    if (job && record.uid !== '') jobs.set(record.uid, job);
  }
  return { nodes, jobs };
}
