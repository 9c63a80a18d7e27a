/** The rows of a node table that the one before it has not. Pure. */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import { ndjsonLine } from '../../lib/ndjson.ts';
import type { ChangedRows } from './session.ts';

/** A row that is left out stays as it is in those who have it, also when its node is gone. */
export function changedRows(before: NodeTable, after: NodeTable): ChangedRows {
  let at = 0;
  // Both are sorted by node, and most rows are the very same.
  const rows = after.rows.filter((row) => {
    while (at < before.rows.length && (before.rows[at]?.node ?? '') < row.node) at++;
    const old = before.rows[at];
    return old !== row && JSON.stringify(old) !== JSON.stringify(row);
  });
  return {
    base: before.version,
    line: ndjsonLine({ type: 'rows', base: before.version, table: { ...after, rows } }),
  };
}
