/** Which EdgeNodes are on this machine: those whose first address can be bound here. */
import type { EdgeNodeSpec } from '../../contract/kinds/edge-node.ts';
import { NO_REGION } from '../../contract/plans/routing-plan.ts';
import { isLoopback } from '../../lib/listen-address.ts';
import { tryBind } from '../../lib/try-bind.ts';
import type { LocalEdge } from './programs.ts';

export interface NamedSpec {
  name: string;
  spec: EdgeNodeSpec;
}

/** Port 0 is any free one: whether the port is free is another question. */
type IsHere = (address: string) => Promise<boolean>;
const canBind: IsHere = async (host) => (await tryBind({ host, port: 0 }, 'tcp')) !== 'EADDRNOTAVAIL';

/** A loopback address is of this machine, even where the system has to be told so first (macOS). */
export async function localEdges(
  nodes: readonly NamedSpec[],
  here: IsHere = canBind,
): Promise<{ edges: LocalEdge[]; elsewhere: string[] }> {
  const ofThisMachine = async (address: string) => isLoopback(address) || (await here(address));
  const placed = await Promise.all(
    nodes.map(async ({ name, spec }) => {
      const local = await Promise.all(spec.addresses.map(ofThisMachine));
      const addresses = spec.addresses.filter((_, index) => local[index]);
      const { http: port, https: tlsPort } = spec.ports;
      const edge = { name, region: spec.region ?? NO_REGION, addresses, port, tlsPort };
      return { edge, isHere: local[0] === true };
    }),
  );
  return {
    edges: placed.flatMap(({ edge, isHere }) => (isHere ? [edge] : [])),
    elsewhere: placed.flatMap(({ edge, isHere }) => (isHere ? [] : [edge.name])),
  };
}
