/**
 * A node's standing: what the plan, the node table and health say of it, joined once per change, so that a query
 * looks at no table.
 */
import type { NodeRow, NodeTable } from '../../contract/plans/node-table.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import type { PreparedAddress } from '../plan/prepared-address.ts';
import type { PreparedNode } from '../plan/prepared-plan.ts';

export interface AddressStanding extends PreparedAddress {
  healthy: boolean;
  /** What the last probe met. */
  detail: string;
}

export interface NodeStanding {
  node: PreparedNode;
  row: NodeRow | undefined;
  addresses: AddressStanding[];
}

export type Standings = ReadonlyMap<PreparedNode, NodeStanding>;

export function standingsOf(
  nodes: readonly PreparedNode[],
  table: NodeTable,
  health: HealthReport['nodes'],
): Standings {
  const rows = new Map(table.rows.map((row) => [row.node, row]));
  const seen = new Map(health.map(({ node, addresses }) => [node, addresses]));
  return new Map(
    nodes.map((node) => {
      const { name } = node.spec;
      const probes = new Map(seen.get(name)?.map((probe) => [probe.address, probe]));
      const addresses = node.addresses.map((address) => {
        // An address that nobody probed yet counts as up: a failed start of probing counts nobody out.
        const { healthy = true, detail = 'not probed yet' } = probes.get(address.text) ?? {};
        return { ...address, healthy, detail };
      });
      return [node, { node, row: rows.get(name), addresses }];
    }),
  );
}
