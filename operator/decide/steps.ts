/** Small changes of the state that the steps of a decision are made of. Pure; states are values. */
import { NO_REVISION } from '../../contract/plans/revision.ts';
import type { Command } from '../../contract/stream/messages.ts';
import { withEntry } from '../../lib/patched-map.ts';
import { awaitedNodes, isGating, pendingCommands } from './jobs.ts';
import { markForRevalidation, revalidationOf } from './nodes.ts';
import type { DecideState, Decision, DnsServerState, Effect, JobState, NodeState } from './state.ts';

export const quiet = (state: DecideState): Decision => ({ state, effects: [] });

/** One decision, and then the next on what it left. */
export function inTurn({ state, effects }: Decision, next: (state: DecideState) => Decision): Decision {
  const after = next(state);
  return { state: after.state, effects: [...effects, ...after.effects] };
}

/** A job ended without these nodes' acks: they revalidate all that they stored before they answer again. */
export function markMissed(decision: Decision, job: JobState, now: number): Decision {
  const missed = isGating(job.command) ? awaitedNodes(job) : [];
  return markNodes(decision, missed, job.job.metadata.uid, now);
}

export function markNodes(
  decision: Decision,
  names: readonly string[],
  missed: string,
  now: number,
): Decision {
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

export function sendTo(state: DecideState, nodes: readonly string[], { command }: JobState): Effect[] {
  return nodes
    .filter((node) => state.nodes.get(node)?.connected)
    .flatMap((node) => commandEffects(node, [command]));
}

/** What a node has to do before it may answer: what it missed first, then what is unfinished, in order. */
export function commandsFor({ nodes, jobs }: DecideState, name: string): Command[] {
  const node = nodes.get(name);
  return node ? [...revalidationOf(node), ...pendingCommands(jobs, name)] : [];
}

/** Those of them that may go out now: what waits for parents is sent when they are done (parents-first.ts). */
export function sendable({ jobs }: DecideState, name: string, commands: readonly Command[]): Command[] {
  return commands.filter(({ uid }) => jobs.get(uid)?.held.has(name) !== true);
}

export const commandEffects = (node: string, commands: readonly Command[]): Effect[] =>
  commands.map((command) => ({ type: 'command', node, command }));

export function withNode(
  state: DecideState,
  name: string,
  change: (node: NodeState) => NodeState,
): DecideState {
  const node = state.nodes.get(name);
  const changed = node && change(node);
  return changed && changed !== node ? { ...state, nodes: withEntry(state.nodes, name, changed) } : state;
}

export function withJob(state: DecideState, uid: string, change: (job: JobState) => JobState): DecideState {
  const job = state.jobs.get(uid);
  const changed = job && change(job);
  return changed && changed !== job ? { ...state, jobs: withEntry(state.jobs, uid, changed) } : state;
}

export function withDnsServer(
  state: DecideState,
  name: string,
  change: Partial<DnsServerState>,
): DecideState {
  const server = state.dnsServers.get(name) ?? {
    connected: false,
    acked: NO_REVISION,
    nack: undefined,
    health: [],
    healthAt: undefined,
  };
  return { ...state, dnsServers: withEntry(state.dnsServers, name, { ...server, ...change }) };
}
