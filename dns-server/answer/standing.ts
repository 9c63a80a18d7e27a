/**
 * A node's standing: what the plan, the node table and health say of it, joined once per change, so that a query
 * looks at no table.
 */
import type { ForcedState, NodeRow, NodeTable } from '../../contract/plans/node-table.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import type { PreparedAddress } from '../plan/prepared-address.ts';
import type { PreparedNode } from '../plan/prepared-plan.ts';

export interface AddressStanding extends PreparedAddress {
  healthy: boolean;
  /** What the last probe met. */
  detail: string;
  /** Milliseconds until probes can turn it, as they went so far; not known of an address that nobody probes. */
  turnMs: number | undefined;
}

export interface NodeStanding {
  node: PreparedNode;
  row: NodeRow | undefined;
  /** Its share against the others of a tier. */
  weight: number;
  /** What somebody said of its health, as long as that holds. */
  forced: ForcedState['state'] | undefined;
  addresses: AddressStanding[];
}

export type Standings = ReadonlyMap<PreparedNode, NodeStanding>;

export function standingsOf(
  nodes: readonly PreparedNode[],
  table: NodeTable,
  health: HealthReport['nodes'],
  now = 0,
): Standings {
  const rows = new Map(table.rows.map((row) => [row.node, row]));
  const seen = new Map(health.map(({ node, addresses }) => [node, addresses]));
  return new Map(
    nodes.map((node) => {
      const { name } = node.spec;
      const probes = new Map(seen.get(name)?.map((probe) => [probe.address, probe]));
      const addresses = node.addresses.map((address) => {
        // An address that nobody probed yet counts as up: a failed start of probing counts nobody out.
        const { healthy = true, detail = 'not probed yet', turnMs } = probes.get(address.text) ?? {};
        return { ...address, healthy, detail, turnMs };
      });
      const row = rows.get(name);
      const weight = node.spec.weight * (row?.weight ?? 1);
      return [node, { node, row, weight, forced: forcedAt(row?.forced, now), addresses }];
    }),
  );
}

function forcedAt(forced: ForcedState | undefined, now: number): NodeStanding['forced'] {
  const over = forced?.until !== undefined && forced.until <= now;
  return over ? undefined : forced?.state;
}

/** The next moment at which a forced state ends. */
export function nextForcedEnd({ rows }: NodeTable, now: number): number | undefined {
  const ends = rows.flatMap(({ forced }) => forced?.until ?? []).filter((until) => until > now);
  return ends.length > 0 ? Math.min(...ends) : undefined;
}
