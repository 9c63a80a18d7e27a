/**
 * A purge goes to parents first: an edge that dropped something would get it back from a parent that did not yet. The
 * others wait until each parent acked. They do not wait for one that cannot be reached, said that it failed, or takes
 * too long: a purge that one parent holds up for everyone is worse. Pure.
 */
import { isAwaited, isGating } from './jobs.ts';
import type { DecideEvent, DecideState, Decision, JobState } from './state.ts';
import { inTurn, quiet, sendTo, withJob } from './steps.ts';

/** For a parent that is well; a purge is a matter of milliseconds there. */
export const HEAD_START_MS = 5_000;

/** Has a job that starts now to wait for parents? */
export function withHeld(job: JobState, state: DecideState, now: number): JobState {
  if (!isGating(job.command) || job.outcome !== undefined || !waitsForParents(job, state, now)) return job;
  return { ...job, held: new Set([...job.nodes.keys()].filter((name) => !job.parents.has(name))) };
}

/** Sends what was held back to all whose parents are done. */
export function release(decision: Decision, event: DecideEvent, now: number): Decision {
  const { state } = decision;
  const free = concerned(state, event).filter(
    (job) => job.held.size > 0 && !waitsForParents(job, state, now),
  );
  return free.reduce((before, job) => inTurn(before, (after) => releaseJob(after, job)), decision);
}

/** A thousand reports must not look through hundreds of jobs each: one that says something of a job says it of that. */
function concerned({ jobs }: DecideState, event: DecideEvent): JobState[] {
  if (event.type !== 'report') return [...jobs.values()];
  const job = 'uid' in event.report ? jobs.get(event.report.uid) : undefined;
  return job ? [job] : [];
}

function releaseJob(state: DecideState, job: JobState): Decision {
  const released = withJob(state, job.job.metadata.uid, (each) => ({ ...each, held: new Set() }));
  // What was already acked, by a node that an earlier leader had sent it, is not sent again.
  const waiting = [...job.held].filter((name) => isAwaited(job, name));
  return { ...quiet(released), effects: sendTo(state, waiting, job) };
}

function waitsForParents(job: JobState, { nodes }: DecideState, now: number): boolean {
  const { parents, startTime } = job;
  if (now >= startTime + HEAD_START_MS) return false;
  return [...parents].some((name) => {
    const row = job.nodes.get(name);
    return row !== undefined && !row.acked && !row.failure && nodes.get(name)?.connected === true;
  });
}
