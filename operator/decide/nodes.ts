/** Decisions on nodes: who is admitted, who has to catch up, whose row is published. Pure. */
import type { EdgeNodeStatus } from '../../contract/kinds/edge-node.ts';
import type { EdgeNode } from '../../contract/kinds/kinds.ts';
import type { ForcedState, NodeRow } from '../../contract/plans/node-table.ts';
import { compareRevisions, NO_REVISION, type Revision } from '../../contract/plans/revision.ts';
import type { Command } from '../../contract/stream/messages.ts';
import { bitsPerSecond } from '../../lib/bandwidth.ts';
import { memo } from '../../lib/memo.ts';
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
    presumed:
      status?.conditions?.some(({ type, status: holds }) => type === 'Connected' && holds === 'True') ===
      true,
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
  const turned: [string, NodeState][] = [];
  for (const row of nodes) if (row[1].down !== votes.isDown(row[0])) turned.push(row);
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

/** Of a resource that did not change the very same. */
export const capacityOf = memo(({ spec: { capacity } }: EdgeNode): NodeState['capacity'] => ({
  bitsPerSecond: capacity?.bandwidth === undefined ? undefined : bitsPerSecond(capacity.bandwidth),
  connections: capacity?.connections,
}));

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

/**
 * A (re)connected node has to catch up with every purge that it has not acked before it may answer again. One that was
 * there all the time is like any that is sent a command: it answers while it works on it, and only what it had to catch
 * up with before still counts. What that was an earlier leader knew; its dns-servers still do, so that the node's row
 * stays with them as it is until it acked.
 */
export function connectNode(
  node: NodeState,
  { held, pending, wasThere }: { held: Revision; pending: readonly Command[]; wasThere: boolean },
): NodeState {
  const gates = gatesOf(pending);
  const back = { ...node, connected: true, acked: held, retryAt: undefined };
  if (!wasThere) return { ...back, heard: true, gates };
  // One that missed a job which has ended is out, or was already.
  if (!node.heard) return { ...back, heard: gates.size === 0 || node.revalidation !== undefined, gates };
  // A job that ended while it found its way here is not one that it works on.
  return {
    ...back,
    gates: new Set([...gates].filter((uid) => node.gates.has(uid) || uid === node.revalidation)),
  };
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
  const heard = node.heard || node.connected;
  return { ...node, heard, revalidation, retryAt: undefined, gates: gates.add(revalidation) };
}

/** The disk of an edge may be full: the revalidation is tried again while the stream stays open. */
export function revalidationFailed(node: NodeState, uid: string, now: number): NodeState {
  return node.revalidation === uid ? { ...node, retryAt: now + REVALIDATE_RETRY_MS } : node;
}

export function commandDone(node: NodeState, uid: string): NodeState {
  const gates = node.gates.has(uid) ? without(node.gates, uid) : node.gates;
  const heard = node.heard || (node.connected && gates.size === 0);
  const revalidation = node.revalidation === uid ? undefined : node.revalidation;
  const known = node.known || (revalidation === undefined && node.confirmed);
  // The very same where it changed nothing, as with a purge that the node did at once: no row, no status is looked at.
  const isSame = gates === node.gates && revalidation === node.revalidation;
  if (isSame && heard === node.heard && known === node.known) return node;
  return { ...node, heard, gates, revalidation, known };
}

function without(gates: ReadonlySet<string>, uid: string): ReadonlySet<string> {
  const others = new Set(gates);
  others.delete(uid);
  return others;
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
 * Nor has one that is about to connect: what was written down of it may be older than what they know.
 */
export function rowsOf(
  nodes: ReadonlyMap<string, NodeState>,
  votes: Votes,
  { now, before }: { now: number; before: readonly NodeRow[] },
): readonly NodeRow[] {
  const rows: NodeRow[] = [];
  for (const [node, state] of nodes) {
    const { known, heard, presumed, gates } = state;
    if (known && (heard || (!presumed && gates.size === 0))) rows.push(rowOf(node, state, votes, now));
  }
  rows.sort((a, b) => (a.node < b.node ? -1 : 1));
  // The very same where nothing changed: each is compared, digested and sent by what it is.
  const kept = keptRows(rows, before);
  const isSame = kept.length === before.length && kept.every((row, at) => row === before[at]);
  return isSame ? before : kept;
}

/** Both are sorted by node. */
function keptRows(rows: readonly NodeRow[], before: readonly NodeRow[]): NodeRow[] {
  let at = 0;
  return rows.map((row) => {
    while (at < before.length && (before[at]?.node ?? '') < row.node) at++;
    const old = before[at];
    return (old?.node === row.node && sameAs(old, row)) || row;
  });
}

/** A node that is seen by all and has its whole weight: nothing but itself makes its row. */
const plainRows = new WeakMap<NodeState, NodeRow>();

function rowOf(node: string, state: NodeState, votes: Votes, now: number): NodeRow {
  const weight = weightOf(state, now);
  const down = votes.downOf(node) ?? [];
  if (weight < 1 || down.length > 0) return rowWith(node, state, weight, down);
  const row = plainRows.get(state) ?? rowWith(node, state, weight, down);
  plainRows.set(state, row);
  return row;
}

function rowWith(
  node: string,
  { acked = NO_REVISION, gates, forced }: NodeState,
  weight: number,
  down: NonNullable<NodeRow['down']>,
): NodeRow {
  const admitted = gates.size === 0;
  return {
    node,
    acked,
    admitted,
    reason: admitted ? 'Admitted' : 'CatchingUp',
    ...(weight < 1 && { weight }),
    ...(forced && { forced }),
    ...(down.length > 0 && { down }),
  };
}

function sameAs(old: NodeRow, row: NodeRow): NodeRow | undefined {
  if (old === row) return old;
  const isSame =
    compareRevisions(old.acked, row.acked) === 0 &&
    old.admitted === row.admitted &&
    old.weight === row.weight &&
    JSON.stringify([old.forced, old.down]) === JSON.stringify([row.forced, row.down]);
  return isSame ? old : undefined;
}
