/**
 * The node table: one small row per node, made by the operator's decisions. It changes often, so it travels apart
 * from plans. A dns-server keeps the row that it has for a node that a newer table leaves out: a missing report never
 * withdraws anything.
 */
import { z } from 'zod';
import { revision } from './revision.ts';

export const nodeRow = z.strictObject({
  node: z.string(),
  /** The edge plan that the node serves. Falls only when the node itself reports a lower one. */
  acked: revision,
  /** false while the node may not answer; `reason` says why (CatchingUp). */
  admitted: z.boolean(),
  reason: z.string(),
});

/** `seq` is the table's own counter within the epoch: `(epoch, n)` of the design. */
export const nodeTable = z.strictObject({ version: revision, rows: z.array(nodeRow) });

export type NodeRow = z.infer<typeof nodeRow>;
export type NodeTable = z.infer<typeof nodeTable>;

export const EMPTY_TABLE: NodeTable = { version: { epoch: 0, seq: 0 }, rows: [] };

/** The table that a dns-server holds after a newer one came: its rows, and the old ones of nodes it does not name. */
export function mergeTables(held: NodeTable, newer: NodeTable): NodeTable {
  const named = new Set(newer.rows.map(({ node }) => node));
  const kept = held.rows.filter(({ node }) => !named.has(node));
  return {
    version: newer.version,
    rows: [...newer.rows, ...kept].sort((a, b) => (a.node < b.node ? -1 : 1)),
  };
}
