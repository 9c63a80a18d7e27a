/** Time went on: deadlines, retries, times to live, and what was forced for a while. Pure. */
import { refOf } from '../admit/snapshot.ts';
import { dueRetries, isExpired, isOverdue, overdue, retried } from './jobs.ts';
import { revalidationOf } from './nodes.ts';
import type { DecideState, Decision, Effect, JobState } from './state.ts';
import { commandEffects, markMissed, sendTo, withJob, withNode } from './steps.ts';

export function ticked(state: DecideState, now: number): Decision {
  const begun = retryRevalidations(endPresumptions(endForces(state, now), now), now);
  return [...state.jobs.values()].reduce((decision, job) => tickJob(decision, job, now), begun);
}

function retryRevalidations(state: DecideState, now: number): Decision {
  const due = [...state.nodes].filter(
    ([, { connected, retryAt }]) => connected && retryAt !== undefined && retryAt <= now,
  );
  return {
    state: due.reduce(
      (before, [name]) => withNode(before, name, (node) => ({ ...node, retryAt: undefined })),
      state,
    ),
    effects: due.flatMap(([name, node]) => commandEffects(name, revalidationOf(node))),
  };
}

/** What was forced for a time ends by itself. */
function endForces(state: DecideState, now: number): DecideState {
  const over = [...state.nodes].filter(
    ([, { forced }]) => forced?.until !== undefined && forced.until <= now,
  );
  return over.reduce(
    (before, [name]) => withNode(before, name, (node) => ({ ...node, forced: undefined })),
    state,
  );
}

/** Who is not connected by now is not there. */
function endPresumptions(state: DecideState, now: number): DecideState {
  if (state.presumedUntil === undefined || now < state.presumedUntil) return state;
  const nodes = new Map([...state.nodes].map(([name, node]) => [name, { ...node, presumed: false }]));
  return { ...state, nodes, presumedUntil: Number.POSITIVE_INFINITY };
}

function tickJob(decision: Decision, job: JobState, now: number): Decision {
  const { uid } = job.job.metadata;
  const { state, effects } = decision;
  if (isOverdue(job, now)) {
    return markMissed({ state: withJob(state, uid, () => overdue(job, now)), effects }, job, now);
  }
  if (isExpired(job, now)) {
    const expire: Effect = { type: 'expire', ref: refOf(job.job) };
    return { state: withJob(state, uid, () => ({ ...job, expired: true })), effects: [...effects, expire] };
  }
  const due = dueRetries(job, now);
  if (due.length === 0) return decision;
  return {
    state: withJob(state, uid, () => retried(job, due, now)),
    effects: [...effects, ...sendTo(state, due, job)],
  };
}
