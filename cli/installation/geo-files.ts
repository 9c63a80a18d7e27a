/** The geo data that weir.yaml names, relative to it; those that Weir brings along when it names none. Pure. */
import { resolve } from 'node:path';
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { GeoFileChoice } from '../../dns-server/explain-domain.ts';

export function geoFilesOf(config: WeirConfig | undefined, folder: string): GeoFileChoice {
  const absolute = (paths: readonly string[] | undefined) => paths?.map((path) => resolve(folder, path));
  return {
    geoDatabases: absolute(config?.geo?.databases),
    asnTables: absolute(config?.geo?.asn),
    geoNetworks: absolute(config?.geo?.networks),
  };
}
