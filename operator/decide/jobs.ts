/**
 * Decisions on purge jobs. There is no numbered log: a job is desired state, and an agent that acked its uid has
 * reached it. Unfinished jobs are sent to each targeted node until it acks. Pure.
 */

import type { CdnDomain, EdgeNode, PurgeJob } from '../../contract/kinds/kinds.ts';
import { selects } from '../../contract/kinds/label-selector.ts';
import type { PurgeJobSpec, PurgeJobStatus } from '../../contract/kinds/purge-job.ts';
import type { Command, PurgeCommand } from '../../contract/stream/messages.ts';
import { withEntry } from '../../lib/patched-map.ts';
import type { JobNode, JobOutcome, JobState } from './state.ts';

/** A command that failed is sent again after 1 s, doubling up to a minute. */
const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 60_000;

const AWAITED: JobNode = { acked: false, failure: undefined };
const ACKED: JobNode = { acked: true, failure: undefined };

/** A job as it starts, or as an earlier leader left it: a finished one stays finished, an unfinished one is sent again. */
export function startJob(
  job: PurgeJob,
  domain: CdnDomain | undefined,
  nodes: readonly EdgeNode[],
  status: PurgeJobStatus | undefined,
  now: number,
): JobState {
  // An edge that forgot would get the old content back from a parent that did not.
  const targets = nodes.filter(
    ({ metadata, spec }) => spec.tier === 'Parent' || selects(job.spec.nodes, metadata.labels),
  );
  const state: JobState = {
    job,
    command: commandOf(job, domain?.metadata.uid ?? ''),
    startTime: status?.startTime === undefined ? now : Date.parse(status.startTime),
    nodes: new Map(targets.map(({ metadata }) => [metadata.name, AWAITED] as const)),
    missing: targets.length,
    parents: new Set(
      targets.filter(({ spec }) => spec.tier === 'Parent').map(({ metadata }) => metadata.name),
    ),
    held: new Set(),
    objects: 0,
    outcome: status && restoredOutcome(status),
    expired: false,
  };
  if (state.outcome || targets.length > 0) return state;
  const message = 'spec.nodes selects no EdgeNode, so there was nothing to do';
  return { ...state, outcome: { type: 'Failed', reason: 'NoNodeSelected', message, at: now } };
}

const DEFAULT_PULL = { concurrency: 8, perSecond: 50 };

function commandOf({ metadata, spec }: PurgeJob, domain: string): JobState['command'] {
  const { uid } = metadata;
  if (spec.action === 'Prefetch') {
    return { type: 'prefetch', uid, domain, urls: spec.urls ?? [], ...(spec.prefetch ?? DEFAULT_PULL) };
  }
  const soft = spec.action === 'SoftPurge';
  return { type: 'purge', uid, domain, target: targetOf(spec), ...(soft && { soft }) };
}

function targetOf({ urls, prefixes, tags, regex }: PurgeJobSpec): PurgeCommand['target'] {
  if (urls) return { by: 'urls', urls };
  if (prefixes) return { by: 'prefixes', prefixes };
  if (tags) return { by: 'tags', tags };
  return regex === undefined ? { by: 'everything' } : { by: 'regex', regex };
}

function restoredOutcome({ conditions = [], completionTime }: PurgeJobStatus): JobOutcome | undefined {
  const ended = conditions.find(
    ({ type, status }) => ['Complete', 'Failed'].includes(type) && status === 'True',
  );
  if (!ended) return undefined;
  return {
    // The condition was written by `status/`, which writes these and no others.
    type: ended.type as JobOutcome['type'],
    reason: ended.reason as JobOutcome['reason'],
    message: ended.message,
    at: Date.parse(completionTime ?? ended.lastTransitionTime),
  };
}

export function isAwaited({ nodes, outcome }: JobState, node: string): boolean {
  return outcome === undefined && nodes.get(node)?.acked === false;
}

/** A prefetch that a node has not done makes none of its answers wrong. */
export function isGating({ type }: Command): boolean {
  return type !== 'prefetch';
}

/** Nodes whose ack is missing. */
export function awaitedNodes({ nodes }: JobState): string[] {
  return [...nodes].filter(([, { acked }]) => !acked).map(([name]) => name);
}

/** The commands that a node has not acked, oldest job first. */
export function pendingCommands(jobs: ReadonlyMap<string, JobState>, node: string): Command[] {
  return [...jobs.values()]
    .filter((job) => isAwaited(job, node))
    .sort((a, b) => a.startTime - b.startTime)
    .map(({ command }) => command);
}

export function nodeAcked(job: JobState, node: string, objects: number, now: number): JobState {
  if (!isAwaited(job, node)) return job;
  return completed(
    {
      ...withNode(job, node, ACKED),
      missing: job.missing - 1,
      objects: job.objects + objects,
    },
    now,
  );
}

export function nodeFailed(job: JobState, node: string, message: string, now: number): JobState {
  if (!isAwaited(job, node)) return job;
  const attempts = (job.nodes.get(node)?.failure?.attempts ?? 0) + 1;
  const wait = Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** (attempts - 1));
  return withNode(job, node, { acked: false, failure: { message, attempts, retryAt: now + wait } });
}

/** A node that is no more is not waited for. */
export function withoutNodes(job: JobState, exists: (node: string) => boolean, now: number): JobState {
  if (job.outcome || [...job.nodes.keys()].every(exists)) return job;
  const nodes = new Map([...job.nodes].filter(([name]) => exists(name)));
  const missing = [...nodes.values()].filter(({ acked }) => !acked).length;
  return completed({ ...job, nodes, missing }, now);
}

/** Nodes whose failed command is due again. */
export function dueRetries({ nodes, outcome }: JobState, now: number): string[] {
  if (outcome) return [];
  return [...nodes].filter(([, { failure }]) => failure && failure.retryAt <= now).map(([name]) => name);
}

/** The job after its retries went out: each waits for the node's word again. */
export function retried(job: JobState, nodes: readonly string[], now: number): JobState {
  return nodes.reduce((state, name) => {
    const failure = state.nodes.get(name)?.failure;
    if (!failure) return state;
    return withNode(state, name, { acked: false, failure: { ...failure, retryAt: now + RETRY_CAP_MS } });
  }, job);
}

export function isOverdue({ job, startTime, outcome }: JobState, now: number): boolean {
  return outcome === undefined && now >= startTime + job.spec.activeDeadlineSeconds * 1_000;
}

export function overdue(job: JobState, now: number): JobState {
  const awaited = awaitedNodes(job);
  const message = `no ack within ${job.job.spec.activeDeadlineSeconds} s from ${awaited.join(', ')}`;
  return { ...job, outcome: { type: 'Failed', reason: 'DeadlineExceeded', message, at: now } };
}

export function isExpired({ job, outcome, expired }: JobState, now: number): boolean {
  return !expired && outcome !== undefined && now >= outcome.at + job.spec.ttlSecondsAfterFinished * 1_000;
}

/** Nodes that may have missed a job which ended while no leader looked. Its status names some of them only. */
export function missedNodes({ nodes, awaited = [] }: PurgeJobStatus, all: readonly string[]): string[] {
  const missing = nodes ? nodes.targeted - nodes.acked : Number.POSITIVE_INFINITY;
  return missing > awaited.length ? [...all] : awaited.map(({ node }) => node);
}

export function isUnfinished(status: PurgeJobStatus): boolean {
  return restoredOutcome(status) === undefined;
}

function completed(job: JobState, now: number): JobState {
  if (job.nodes.size === 0) {
    const message = 'every EdgeNode that it was for is gone';
    return { ...job, outcome: { type: 'Failed', reason: 'NoNodeLeft', message, at: now } };
  }
  if (job.missing > 0) return job;
  const message = `acked by all ${job.nodes.size} nodes`;
  return { ...job, outcome: { type: 'Complete', reason: 'AllNodesAcked', message, at: now } };
}

function withNode(job: JobState, node: string, row: JobNode): JobState {
  return { ...job, nodes: withEntry(job.nodes, node, row) };
}
