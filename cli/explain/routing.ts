/** What is answered from, and the geo files with it: asked of the operator, or read from the state folder. */
import { resolve } from 'node:path';
import type { RoutingView } from '../../contract/stream/operator-api.ts';
import { majorityHealth } from '../../dns-server/health/majority.ts';
import { readFileIfThere } from '../../lib/atomic-file.ts';
import { askOrRead, type InstallationState } from '../installation-state.ts';
import { routingOnDisk } from './view.ts';

export function routingOf(installation: InstallationState): Promise<RoutingView> {
  return askOrRead(
    installation,
    (operator) => operator.routing(),
    () => routingOnDisk(installation.state),
  );
}

/** Each dns-server has eyes of its own; where others vote, the first one's answer is as good as another's. */
export function oneView({ published, table, health }: RoutingView) {
  const [first = ''] = Object.keys(health).sort();
  const own = health[first] ?? [];
  // What one left on the disk has no name among the voters: alone, it goes by its own view.
  const votes = table.voters?.includes(first) === true;
  return { published, table, health: votes ? majorityHealth(own, first, table) : own };
}

/** Of one's own, named relative to weir.yaml; those that Weir brings along when there are none. */
export async function geoFiles({ config, state }: InstallationState) {
  const folder = (await readFileIfThere(state.folder))?.trim() ?? '';
  const absolute = (paths: readonly string[] | undefined) => paths?.map((path) => resolve(folder, path));
  return {
    geoDatabases: absolute(config?.geo?.databases),
    asnTables: absolute(config?.geo?.asn),
    geoNetworks: absolute(config?.geo?.networks),
  };
}
