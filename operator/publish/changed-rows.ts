/** The rows of a node table that the one before it has not. Pure. */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import { ndjsonLine } from '../../lib/ndjson.ts';
import type { ChangedRows } from './session.ts';

/** A row that is left out stays as it is in those who have it, also when its node is gone. */
export function changedRows(before: NodeTable, after: NodeTable): ChangedRows {
  const known = new Map(before.rows.map((row) => [row.node, row] as const));
  const rows = after.rows.filter((row) => {
    const old = known.get(row.node);
    return old !== row && JSON.stringify(old) !== JSON.stringify(row);
  });
  return {
    base: before.version,
    line: ndjsonLine({ type: 'rows', base: before.version, table: { ...after, rows } }),
  };
}
