/**
 * The health of the nodes by the majority of all dns-servers that have a fresh view: this one's own, and those that
 * the node table tells. So all of them answer alike, and the fault of one network takes no node out. Pure.
 */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';

type Nodes = HealthReport['nodes'];

/** A tie leaves an address as up: to take one out needs more than half. */
export function majorityHealth(own: Nodes, self: string, { voters = [], rows }: NodeTable): Nodes {
  const others = new Set(voters.filter((voter) => voter !== self));
  if (others.size === 0) return own;
  const rowOf = new Map(rows.map((row) => [row.node, row]));
  return own.map(({ node, addresses }) => {
    const downBy = new Map(rowOf.get(node)?.down?.map(({ address, by }) => [address, by]));
    return {
      node,
      addresses: addresses.map((address) => {
        const seen = (downBy.get(address.address) ?? []).filter((voter) => others.has(voter)).length;
        const down = seen + (address.healthy ? 0 : 1);
        const healthy = down * 2 <= others.size + 1;
        if (healthy === address.healthy) return address;
        const vote = `${down} of ${others.size + 1} dns-servers see it down`;
        return { ...address, healthy, detail: `${address.detail}; ${vote}`.slice(0, 256) };
      }),
    };
  });
}
