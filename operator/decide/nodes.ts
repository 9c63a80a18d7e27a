/** Decisions on nodes: who is admitted, who has to catch up, whose row is published. Pure. */
import type { EdgeNodeStatus } from '../../contract/kinds/edge-node.ts';
import type { EdgeNode } from '../../contract/kinds/kinds.ts';
import type { ForcedState, NodeRow } from '../../contract/plans/node-table.ts';
import { NO_REVISION, type Revision } from '../../contract/plans/revision.ts';
import type { Command } from '../../contract/stream/messages.ts';
import { bitsPerSecond } from '../../lib/bandwidth.ts';
import { isGating } from './jobs.ts';
import { type LoadState, rampOf, UNLOADED } from './load.ts';
import type { NodeState } from './state.ts';
import type { Votes } from './votes.ts';

const REVALIDATE_RETRY_MS = 10_000;

/** A node as it is before it connects to this leader. One without a record has to revalidate what it may have stored. */
export function restoreNode(name: string, status: EdgeNodeStatus | undefined, now: number): NodeState {
  const mark = status?.acked === undefined || status.mustRevalidate === true;
  const revalidation = mark ? revalidationUid(name, now) : undefined;
  return {
    connected: false,
    heard: false,
    acked: status?.acked,
    confirmed: false,
    known: status?.acked !== undefined,
    revalidation,
    retryAt: undefined,
    gates: new Set(revalidation === undefined ? [] : [revalidation]),
    nack: undefined,
    load: restoredLoad(status, now),
    capacity: { bitsPerSecond: undefined, connections: undefined },
    down: false,
    // A node that was answering when an earlier leader left has no slow start now.
    recoveredAt: Number.NEGATIVE_INFINITY,
    forced: restoredForce(status),
  };
}

function restoredLoad(status: EdgeNodeStatus | undefined, now: number): LoadState {
  const percent = status?.weightPercent;
  return percent === undefined ? UNLOADED : { weight: percent / 100, changedAt: now };
}

/** Health of all nodes by the majority: who is down, and who has come back just now. */
export function followHealth(
  nodes: ReadonlyMap<string, NodeState>,
  votes: Votes,
  now: number,
): ReadonlyMap<string, NodeState> {
  // With no fresh view nobody knows better than before.
  if (votes.voters.length === 0) return nodes;
  const turned = [...nodes].filter(([name, { down }]) => down !== votes.isDown(name));
  if (turned.length === 0) return nodes;
  const after = new Map(nodes);
  for (const [name, node] of turned) {
    after.set(name, { ...node, down: !node.down, recoveredAt: node.down ? now : undefined });
  }
  return after;
}

/** What load and a slow start leave of a node's weight. */
export function weightOf({ load, recoveredAt }: NodeState, now: number): number {
  return Math.round(load.weight * rampOf(recoveredAt, now) * 100) / 100;
}

export function capacityOf({ spec: { capacity } }: EdgeNode): NodeState['capacity'] {
  return {
    bitsPerSecond: capacity?.bandwidth === undefined ? undefined : bitsPerSecond(capacity.bandwidth),
    connections: capacity?.connections,
  };
}

/** In the status times are text, as Kubernetes has them. */
function restoredForce(status: EdgeNodeStatus | undefined): ForcedState | undefined {
  if (!status?.forced) return undefined;
  const { state, until } = status.forced;
  return { state, ...(until !== undefined && { until: Date.parse(until) }) };
}

/** Never given twice: an agent answers a uid that it knows at once, without doing the work again. */
export function revalidationUid(node: string, now: number): string {
  return `revalidate-${node}-${now}`;
}

/** What has to be acked before the node may answer. */
export function gatesOf(commands: readonly Command[]): ReadonlySet<string> {
  return new Set(commands.filter(isGating).map(({ uid }) => uid));
}

/** A (re)connected node has to catch up with every purge that it has not acked before it may answer again. */
export function connectNode(node: NodeState, held: Revision, pending: readonly Command[]): NodeState {
  return { ...node, connected: true, heard: true, acked: held, retryAt: undefined, gates: gatesOf(pending) };
}

/**
 * A job ended without this node's ack. One that is cut off while it answers goes on answering: its silence withdraws
 * nothing, and when it connects it is gated.
 */
export function markForRevalidation(name: string, node: NodeState, missed: string, now: number): NodeState {
  const revalidation = revalidationUid(name, now);
  const answering = !node.connected && node.gates.size === 0;
  if (answering) return { ...node, revalidation };
  const gates = new Set([...node.gates].filter((uid) => uid !== missed && uid !== node.revalidation));
  return { ...node, revalidation, retryAt: undefined, gates: gates.add(revalidation) };
}

/** The disk of an edge may be full: the revalidation is tried again while the stream stays open. */
export function revalidationFailed(node: NodeState, uid: string, now: number): NodeState {
  return node.revalidation === uid ? { ...node, retryAt: now + REVALIDATE_RETRY_MS } : node;
}

export function commandDone(node: NodeState, uid: string): NodeState {
  const gates = new Set([...node.gates].filter((gate) => gate !== uid));
  const revalidation = node.revalidation === uid ? undefined : node.revalidation;
  return {
    ...node,
    gates,
    revalidation,
    known: node.known || (revalidation === undefined && node.confirmed),
  };
}

/** Only the node's own word lets `acked` fall. Before it connects, that may be on a plan of another operator. */
export function planAcked(node: NodeState, revision: Revision): NodeState {
  const confirmed = node.confirmed || node.connected;
  const known = node.known || (confirmed && node.revalidation === undefined);
  return { ...node, acked: revision, confirmed, known, nack: undefined };
}

export function revalidationOf({ revalidation }: NodeState): Command[] {
  return revalidation === undefined ? [] : [{ type: 'revalidateAll', uid: revalidation }];
}

/**
 * The rows that may be published, sorted by node. A node that an earlier leader left with something to catch up with
 * has none before it connects: was it answering, or kept out? Its dns-servers know, and keep the row that they have.
 */
export function rowsOf(nodes: ReadonlyMap<string, NodeState>, votes: Votes, now: number): NodeRow[] {
  return [...nodes]
    .filter(([, { known, heard, gates }]) => known && (heard || gates.size === 0))
    .map(([node, state]) => {
      const { acked = NO_REVISION, gates, forced } = state;
      const weight = weightOf(state, now);
      const admitted = gates.size === 0;
      const down = votes.downOf(node) ?? [];
      return {
        node,
        acked,
        admitted,
        reason: admitted ? 'Admitted' : 'CatchingUp',
        ...(weight < 1 && { weight }),
        ...(forced && { forced }),
        ...(down.length > 0 && { down }),
      };
    })
    .sort((a, b) => (a.node < b.node ? -1 : 1));
}
