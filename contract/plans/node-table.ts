/**
 * The node table: one small row per node, made by the operator's decisions. It changes often, so it travels apart
 * from plans. A dns-server keeps the row that it has for a node that a newer table leaves out: a missing report never
 * withdraws anything.
 */
import { z } from 'zod';
import { revision } from './revision.ts';

export const forcedState = z.strictObject({ state: z.enum(['Up', 'Down']), until: z.int().optional() });
export type ForcedState = z.infer<typeof forcedState>;

export const nodeRow = z.strictObject({
  node: z.string(),
  /** The edge plan that the node serves. Falls only when the node itself reports a lower one. */
  acked: revision,
  /** false while the node may not answer; `reason` says why (CatchingUp). */
  admitted: z.boolean(),
  reason: z.string(),
  /** What its load leaves of its weight, 0 to 1; all of it where nothing is said. */
  weight: z.number().min(0).max(1).optional(),
  /** Somebody said what its health is, whatever probes say: until then (milliseconds since the epoch), or for good. */
  forced: forcedState.optional(),
  /** Addresses that voters see down; `by` names them. */
  down: z.array(z.strictObject({ address: z.string(), by: z.array(z.string()) })).optional(),
});

/** `seq` is the table's own counter within the epoch: `(epoch, n)` of the design. */
export const nodeTable = z.strictObject({
  version: revision,
  rows: z.array(nodeRow),
  /** The dns-servers that the operator has a fresh view of the nodes from, sorted. */
  voters: z.array(z.string()).optional(),
});

export type NodeRow = z.infer<typeof nodeRow>;
export type NodeTable = z.infer<typeof nodeTable>;

export const EMPTY_TABLE: NodeTable = { version: { epoch: 0, seq: 0 }, rows: [] };

/** The table that a dns-server holds after a newer one came: its rows, and the old ones of nodes it does not name. */
export function mergeTables(held: NodeTable, newer: NodeTable): NodeTable {
  const named = new Set(newer.rows.map(({ node }) => node));
  const kept = held.rows.filter(({ node }) => !named.has(node));
  return {
    ...newer,
    rows: [...newer.rows, ...kept].sort((a, b) => (a.node < b.node ? -1 : 1)),
  };
}
