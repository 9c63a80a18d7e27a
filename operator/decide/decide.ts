/**
 * Decide: (state, event, now) -> { state, effects }. Pure. Folds snapshots, connections, reports and the clock into the
 * node table and commands; the conditions people see are read off the state (status/).
 *
 * A missing report never withdraws anything; only facts do.
 */
import type { CdnDomain } from '../../contract/kinds/kinds.ts';
import { NO_REVISION, type Revision } from '../../contract/plans/revision.ts';
import type { Command, Report } from '../../contract/stream/messages.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { refOf, type Snapshot } from '../admit/snapshot.ts';
import {
  awaitedNodes,
  dueRetries,
  isExpired,
  isGating,
  isOverdue,
  isUnfinished,
  missedNodes,
  nodeAcked,
  nodeFailed,
  overdue,
  pendingCommands,
  retried,
  startJob,
  withoutNodes,
} from './jobs.ts';
import { afterLoad, type LoadReport, utilisation } from './load.ts';
import {
  capacityOf,
  commandDone,
  connectNode,
  followHealth,
  gatesOf,
  markForRevalidation,
  planAcked,
  restoreNode,
  revalidationFailed,
  revalidationOf,
  rowsOf,
} from './nodes.ts';
import {
  type DecideEvent,
  type DecideState,
  type Decision,
  type DnsServerState,
  type Effect,
  type JobState,
  type NodeState,
  withEntry,
} from './state.ts';
import { freshVotes } from './votes.ts';

export function decide(state: DecideState, event: DecideEvent, now: number): Decision {
  const decision = decideEvent(state, event, now);
  const votes = freshVotes(decision.state.dnsServers, now);
  const { voters } = votes;
  const nodes = followHealth(decision.state.nodes, votes, now);
  const next = { ...decision.state, nodes };
  const rows = rowsOf(nodes, votes, now);
  if (canonicalJson({ rows, voters }) === canonicalJson({ rows: state.rows, voters: state.voters })) {
    return nodes === decision.state.nodes ? decision : { ...decision, state: next };
  }
  return {
    state: { ...next, rows, voters },
    effects: [...decision.effects, { type: 'table', rows, voters }],
  };
}

function decideEvent(state: DecideState, event: DecideEvent, now: number): Decision {
  switch (event.type) {
    case 'snapshot':
      return snapshotTaken(state, event.snapshot, now);
    case 'connect':
      return event.role === 'edge'
        ? edgeConnected(state, event.node, event.held)
        : quiet(withDnsServer(state, event.node, { connected: true, acked: event.held }));
    case 'disconnect':
      return event.role === 'edge'
        ? quiet(withNode(state, event.node, (node) => ({ ...node, connected: false })))
        : quiet(withDnsServer(state, event.node, { connected: false }));
    case 'report':
      return event.role === 'edge'
        ? edgeReported(state, event.node, event.report, now)
        : quiet(dnsServerReported(state, event.node, event.report, now));
    case 'force':
      return quiet(withNode(state, event.node, (node) => ({ ...node, forced: event.forced })));
    case 'tick':
      return ticked(endForces(state, now), now);
  }
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

const quiet = (state: DecideState): Decision => ({ state, effects: [] });

/** Nodes and jobs follow the resources: new ones start, those that went away end. */
function snapshotTaken(state: DecideState, snapshot: Snapshot, now: number): Decision {
  const nodes = new Map(
    snapshot.nodes.map((resource) => {
      const { name } = resource.metadata;
      const node = state.nodes.get(name) ?? restoreNode(name, state.restored.nodes.get(name), now);
      return [name, { ...node, capacity: capacityOf(resource) }];
    }),
  );
  // What was restored counts for the first look only: a resource that goes away and comes back starts anew.
  const kept: DecideState = { ...state, nodes };
  const wanted = new Set(snapshot.jobs.map(({ metadata }) => metadata.uid));
  const gone = [...state.jobs].filter(([uid]) => !wanted.has(uid));
  const dismissed: Decision = { state: kept, effects: dismissals(state, kept) };
  const decision = gone.reduce((before, [uid, job]) => dropJob(before, uid, job, now), dismissed);
  const started = startJobs(shrinkJobs(dropRestored(decision, wanted, now), now), snapshot, now);
  return { ...started, state: gateUnheard(started.state) };
}

function dismissals(before: DecideState, { nodes }: DecideState): Effect[] {
  return [...before.nodes]
    .filter(([name, { connected }]) => connected && !nodes.has(name))
    .map(([node]) => ({ type: 'dismiss', node }));
}

/** Jobs that were deleted, unfinished, while no leader looked. */
function dropRestored(decision: Decision, wanted: ReadonlySet<string>, now: number): Decision {
  const { restored, nodes } = decision.state;
  return [...restored.jobs]
    .filter(([uid, status]) => !wanted.has(uid) && isUnfinished(status))
    .reduce(
      (before, [uid, status]) => markNodes(before, missedNodes(status, [...nodes.keys()]), uid, now),
      decision,
    );
}

/** Nodes that an earlier leader left have to catch up with what they had not acked when it was lost. */
function gateUnheard(state: DecideState): DecideState {
  const fresh = [...state.nodes].filter(
    ([name, { heard }]) => !heard && !state.rows.some(({ node }) => node === name),
  );
  return fresh.reduce((before, [name]) => {
    const gates = gatesOf(commandsFor(before, name));
    return withNode(before, name, (node) => ({ ...node, gates }));
  }, state);
}

/** What a node has to do before it may answer: what it missed first, then what is unfinished, in order. */
function commandsFor({ nodes, jobs }: DecideState, name: string): Command[] {
  const node = nodes.get(name);
  return node ? [...revalidationOf(node), ...pendingCommands(jobs, name)] : [];
}

/** A job that is deleted unfinished was missed by those that had not acked it. */
function dropJob({ state, effects }: Decision, uid: string, job: JobState, now: number): Decision {
  const jobs = new Map(state.jobs);
  jobs.delete(uid);
  const dropped = { state: { ...state, jobs }, effects };
  return job.outcome ? dropped : markMissed(dropped, job, now);
}

function shrinkJobs({ state, effects }: Decision, now: number): Decision {
  const exists = (node: string) => state.nodes.has(node);
  const jobs = new Map([...state.jobs].map(([uid, job]) => [uid, withoutNodes(job, exists, now)] as const));
  return { state: { ...state, jobs }, effects };
}

function startJobs({ state, effects }: Decision, snapshot: Snapshot, now: number): Decision {
  const started = snapshot.jobs
    .filter(({ metadata }) => !state.jobs.has(metadata.uid))
    .map((job) => {
      const domain = findDomain(snapshot, job.metadata.namespace, job.spec.domainRef.name);
      return startJob(job, domain, snapshot.nodes, state.restored.jobs.get(job.metadata.uid), now);
    });
  const jobs = new Map([...state.jobs, ...started.map((job) => [job.job.metadata.uid, job] as const)]);
  const commands = started
    .filter(({ outcome }) => outcome === undefined)
    .flatMap((job): Effect[] => sendTo(state, [...job.nodes.keys()], job));
  const nothing = { nodes: new Map(), jobs: new Map() };
  return { state: { ...state, jobs, restored: nothing }, effects: [...effects, ...commands] };
}

function findDomain({ domains }: Snapshot, namespace: string, name: string): CdnDomain | undefined {
  return domains.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
}

function edgeConnected(state: DecideState, name: string, held: Revision): Decision {
  const node = state.nodes.get(name);
  if (!node) return quiet(state);
  const commands = commandsFor(state, name);
  return {
    state: withNode(state, name, () => connectNode(node, held, commands)),
    effects: commandEffects(name, commands),
  };
}

function edgeReported(state: DecideState, name: string, report: Report, now: number): Decision {
  switch (report.type) {
    case 'ack':
      return quiet(withNode(state, name, (node) => planAcked(node, report.revision)));
    case 'nack': {
      const { revision, fault, message } = report;
      return quiet(withNode(state, name, (node) => ({ ...node, nack: { revision, fault, message } })));
    }
    case 'done': {
      const acked = withJob(state, report.uid, (job) => nodeAcked(job, name, report.objects, now));
      return quiet(withNode(acked, name, (node) => commandDone(node, report.uid)));
    }
    case 'failed': {
      const failed = withJob(state, report.uid, (job) => nodeFailed(job, name, report.message, now));
      return quiet(withNode(failed, name, (node) => revalidationFailed(node, report.uid, now)));
    }
    case 'load':
      return quiet(withNode(state, name, (node) => loadReported(node, report, now)));
    case 'health':
      return quiet(state);
  }
}

function dnsServerReported(state: DecideState, name: string, report: Report, now: number): DecideState {
  switch (report.type) {
    case 'ack':
      return withDnsServer(state, name, { acked: report.revision, nack: undefined });
    case 'nack': {
      const { revision, fault, message } = report;
      return withDnsServer(state, name, { nack: { revision, fault, message } });
    }
    case 'health':
      return withDnsServer(state, name, { health: report.nodes, healthAt: now });
    case 'done':
    case 'failed':
    case 'load':
      return state;
  }
}

function loadReported(node: NodeState, report: LoadReport, now: number): NodeState {
  const load = afterLoad(node.load, utilisation(report, node.capacity), now);
  return load === node.load ? node : { ...node, load };
}

function ticked(state: DecideState, now: number): Decision {
  const retried = retryRevalidations(state, now);
  return [...state.jobs.values()].reduce((decision, job) => tickJob(decision, job, now), retried);
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

const commandEffects = (node: string, commands: readonly Command[]): Effect[] =>
  commands.map((command) => ({ type: 'command', node, command }));

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

/** A job ended without these nodes' acks: they revalidate all that they stored before they answer again. */
function markMissed(decision: Decision, job: JobState, now: number): Decision {
  const missed = isGating(job.command) ? awaitedNodes(job) : [];
  return markNodes(decision, missed, job.job.metadata.uid, now);
}

function markNodes(decision: Decision, names: readonly string[], missed: string, now: number): Decision {
  return names.reduce(({ state, effects }, name) => {
    const node = state.nodes.get(name);
    if (!node) return { state, effects };
    const marked = markForRevalidation(name, node, missed, now);
    const commands = node.connected ? revalidationOf(marked) : [];
    return {
      state: withNode(state, name, () => marked),
      effects: [...effects, ...commandEffects(name, commands)],
    };
  }, decision);
}

function sendTo(state: DecideState, nodes: readonly string[], { command }: JobState): Effect[] {
  return nodes
    .filter((node) => state.nodes.get(node)?.connected)
    .flatMap((node) => commandEffects(node, [command]));
}

function withNode(state: DecideState, name: string, change: (node: NodeState) => NodeState): DecideState {
  const node = state.nodes.get(name);
  return node ? { ...state, nodes: withEntry(state.nodes, name, change(node)) } : state;
}

function withJob(state: DecideState, uid: string, change: (job: JobState) => JobState): DecideState {
  const job = state.jobs.get(uid);
  return job ? { ...state, jobs: withEntry(state.jobs, uid, change(job)) } : state;
}

function withDnsServer(state: DecideState, name: string, change: Partial<DnsServerState>): DecideState {
  const server = state.dnsServers.get(name) ?? {
    connected: false,
    acked: NO_REVISION,
    nack: undefined,
    health: [],
    healthAt: undefined,
  };
  return { ...state, dnsServers: withEntry(state.dnsServers, name, { ...server, ...change }) };
}
