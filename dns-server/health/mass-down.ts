/**
 * When more than half of the nodes go down at once, this server's own network is the likelier fault: their previous
 * state is kept. Pure.
 *
 *     down by probes ──> down for long, or few of them: down
 *                    └─> new within one round, and more than half of all: held (counts as up) until half of all are back
 */
import type { HealthReport } from '../../contract/stream/messages.ts';

type Nodes = HealthReport['nodes'];

export interface MassDown {
  /** When each node that is down went down, in milliseconds since the epoch. */
  downSince: ReadonlyMap<string, number>;
  /** Nodes that are down by probes and count as up. */
  held: ReadonlySet<string>;
}

export const NO_MASS_DOWN: MassDown = { downSince: new Map(), held: new Set() };

/** With fewer nodes, half of them may well fail by themselves. */
const MIN_NODES = 5;

/** `roundMs`: how far apart the nodes' turns may lie when all lost their network at one moment. */
export function watchMassDown(before: MassDown, nodes: Nodes, now: number, roundMs: number): MassDown {
  const down = nodes.filter(isDown).map(({ node }) => node);
  const downSince = new Map(down.map((node) => [node, before.downSince.get(node) ?? now]));
  const suspects = down.filter(
    (node) => before.held.has(node) || now - (downSince.get(node) ?? now) <= roundMs,
  );
  const mass = nodes.length >= MIN_NODES && suspects.length * 2 > nodes.length;
  return { downSince, held: new Set(mass ? suspects : []) };
}

/** The nodes with the previous state of those that are held. */
export function withHeld(nodes: Nodes, { held }: MassDown): Nodes {
  if (held.size === 0) return nodes;
  return nodes.map(({ node, addresses }) =>
    held.has(node)
      ? {
          node,
          addresses: addresses.map((address) => ({
            ...address,
            healthy: true,
            detail: `${address.detail}; kept up, since more than half of the nodes went down at once`.slice(
              0,
              256,
            ),
          })),
        }
      : { node, addresses },
  );
}

function isDown({ addresses }: Nodes[number]): boolean {
  return addresses.length > 0 && addresses.every(({ healthy }) => !healthy);
}
