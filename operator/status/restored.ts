/** What a new leader takes up of the statuses that an earlier one wrote down. Pure. */
import type { EdgeNodeStatus } from '../../contract/kinds/edge-node.ts';
import type { PurgeJobStatus } from '../../contract/kinds/purge-job.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type { Quarantined } from '../decide/quarantine.ts';
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

/** `build`: ours. What an operator of another one put aside is tried again. */
export function restoredStatuses(records: Statuses, build: string): Restored {
  const nodes = new Map<string, EdgeNodeStatus>();
  const jobs = new Map<string, PurgeJobStatus>();
  const quarantined = new Map<string, Quarantined>();
  for (const [key, record] of records) {
    const node = statusOf(record, 'EdgeNode');
    const job = statusOf(record, 'PurgeJob');
    if (node) nodes.set(record.ref.name, node);
    const { ref } = record;
    const refused = node?.quarantined ?? statusOf(record, 'CdnDomain')?.quarantined;
    if (refused?.build === build && (ref.kind === 'CdnDomain' || ref.kind === 'EdgeNode')) {
      const { spec, by, message } = refused;
      quarantined.set(key, { ref: { ...ref, kind: ref.kind }, spec, by, message, plans: undefined });
    }
    if (job && record.uid !== '') jobs.set(record.uid, job);
  }
  return { nodes, jobs, quarantined };
}
