/** PurgeJob: Complete, Failed, Ready, counts, and the nodes that are waited for by name. Pure. */
import type { PurgeJobStatus } from '../../contract/kinds/purge-job.ts';
import { awaitedNodes } from '../decide/jobs.ts';
import type { DecideState, JobState } from '../decide/state.ts';
import { fails, holds, type Verdict } from './verdict.ts';

const MAX_AWAITED = 20;

export function jobVerdicts(job: JobState): Verdict[] {
  const { outcome } = job;
  if (!outcome) {
    const message = `not every targeted node has acked yet${firstFailure(job)}`;
    return ['Complete', 'Failed', 'Ready'].map((type) => fails(type, 'InProgress', message));
  }
  const { type, reason, message } = outcome;
  const complete = type === 'Complete';
  return [
    complete ? holds('Complete', reason, message) : fails('Complete', reason, message),
    complete ? fails('Failed', reason, message) : holds('Failed', reason, message),
    complete ? holds('Ready', reason, message) : fails('Ready', reason, message),
  ];
}

/** A job that is tried again and again, as the prefetch of a URL that the origin does not have, says why. */
function firstFailure({ nodes }: JobState): string {
  const failed = [...nodes]
    .filter(([, { acked, failure }]) => !acked && failure)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const [first] = failed;
  if (!first) return '';
  const others = failed.length > 1 ? ` and ${failed.length - 1} more` : '';
  return `; ${first[0]}${others} failed, and is tried again: ${first[1].failure?.message ?? ''}`;
}

/** A job that was refused never starts. */
export function refusedJobVerdicts({ reason, message }: Verdict): Verdict[] {
  return [
    fails('Complete', reason, message),
    holds('Failed', reason, message),
    fails('Ready', reason, message),
  ];
}

export function jobCounts(
  job: JobState,
  state: DecideState,
): Omit<PurgeJobStatus, 'conditions' | 'observedGeneration'> {
  const rows = [...job.nodes.values()];
  const awaited = awaitedNodes(job).sort();
  return {
    nodes: {
      targeted: rows.length,
      acked: rows.filter(({ acked }) => acked).length,
      failed: rows.filter(({ acked, failure }) => !acked && failure).length,
    },
    awaited: awaited.slice(0, MAX_AWAITED).map((node) => ({ node, reason: awaitedReason(job, node, state) })),
    objects: job.objects,
    startTime: new Date(job.startTime).toISOString(),
    ...(job.outcome && { completionTime: new Date(job.outcome.at).toISOString() }),
  };
}

function awaitedReason(job: JobState, node: string, state: DecideState): string {
  const failure = job.nodes.get(node)?.failure;
  if (failure) return `Failed: ${failure.message}`;
  return state.nodes.get(node)?.connected ? 'NotAcked' : 'NotConnected';
}
