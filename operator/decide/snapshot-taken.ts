/** A snapshot came: nodes and jobs follow the resources. Pure. */
import type { CdnDomain } from '../../contract/kinds/kinds.ts';
import type { Snapshot } from '../admit/snapshot.ts';
import { isUnfinished, missedNodes, startJob, withoutNodes } from './jobs.ts';
import { capacityOf, gatesOf, restoreNode } from './nodes.ts';
import { withHeld } from './parents-first.ts';
import type { DecideState, Decision, Effect, JobState } from './state.ts';
import { commandsFor, markMissed, markNodes, sendTo, withNode } from './steps.ts';

/**
 * Agents ask all replicas at least every ten seconds. One that died with the leader does not answer, one that does not hear
 * the new leader yet may keep them waiting for five.
 */
const PRESUMED_MS = 30_000;

/** Nodes and jobs follow the resources: new ones start, those that went away end. */
export function snapshotTaken(state: DecideState, snapshot: Snapshot, now: number): Decision {
  const nodes = nodesOf(state, snapshot, now);
  // What was restored counts for the first look only: a resource that goes away and comes back starts anew.
  const kept: DecideState = { ...state, nodes, presumedUntil: state.presumedUntil ?? now + PRESUMED_MS };
  const wanted = new Set(snapshot.jobs.map(({ metadata }) => metadata.uid));
  const gone = [...state.jobs].filter(([uid]) => !wanted.has(uid));
  const dismissed: Decision = { state: kept, effects: dismissals(state, kept) };
  const decision = gone.reduce((before, [uid, job]) => dropJob(before, uid, job, now), dismissed);
  const started = startJobs(shrinkJobs(dropRestored(decision, wanted, now), now), snapshot, now);
  return { ...started, state: gateUnheard(started.state) };
}

/** The very same where nothing changed: a row of the table and a status are made of each. */
function nodesOf(state: DecideState, snapshot: Snapshot, now: number): DecideState['nodes'] {
  const rows = snapshot.nodes.map((resource) => {
    const { name } = resource.metadata;
    const node = state.nodes.get(name) ?? restoreNode(name, state.restored.nodes.get(name), now);
    const capacity = capacityOf(resource);
    return [name, node.capacity === capacity ? node : { ...node, capacity }] as const;
  });
  const isSame =
    rows.length === state.nodes.size && rows.every(([name, node]) => state.nodes.get(name) === node);
  return isSame ? state.nodes : new Map(rows);
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
      const status = state.restored.jobs.get(job.metadata.uid);
      return withHeld(startJob(job, domain, snapshot.nodes, status, now), state, now);
    });
  const jobs = new Map([...state.jobs, ...started.map((job) => [job.job.metadata.uid, job] as const)]);
  const commands = started
    .filter(({ outcome }) => outcome === undefined)
    .flatMap((job): Effect[] =>
      sendTo(
        state,
        [...job.nodes.keys()].filter((name) => !job.held.has(name)),
        job,
      ),
    );
  const nothing = { nodes: new Map(), jobs: new Map() };
  return { state: { ...state, jobs, restored: nothing }, effects: [...effects, ...commands] };
}

function findDomain({ domains }: Snapshot, namespace: string, name: string): CdnDomain | undefined {
  return domains.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
}
