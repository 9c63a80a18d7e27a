/** Geo data and rules -> flat tables. Pure. */
import { type Belonging, type GeoData, type GeoRules, geoSources } from './geo-sources.ts';
import type { IpAddress } from './ip-address.ts';
import {
  buildPrefixTable,
  findLeaf,
  findLeafIn,
  lengthOf,
  type PrefixTable,
  resultOf,
} from './prefix-table.ts';
import type { Placement, Places } from './region-table.ts';

/** Can be handed to another thread as it is: the tables are shared, not copied. */
export interface CompiledGeo {
  ipv4: PrefixTable;
  ipv6: PrefixTable;
  /** By the tables' results. */
  results: Belonging[];
}

export function compileGeo(data: GeoData, rules: GeoRules): CompiledGeo {
  const { ipv4, ipv6, resolve, results } = geoSources(data, rules);
  return {
    ipv4: buildPrefixTable(ipv4, 32, resolve),
    ipv6: buildPrefixTable(ipv6, 128, resolve),
    results,
  };
}

export function compiledPlaces(compiled: CompiledGeo): Places {
  const { ipv4, ipv6, results } = compiled;
  return placesBy(({ version, bytes }) => findLeaf(version === 4 ? ipv4 : ipv6, bytes), results, compiled);
}

/** Places a few clients as the compiled tables would, without compiling: for explanations. */
export function exactPlaces(data: GeoData, rules: GeoRules): Places {
  const { ipv4, ipv6, resolve, results } = geoSources(data, rules);
  return placesBy(({ version, bytes }) => findLeafIn(version === 4 ? ipv4 : ipv6, bytes, resolve), results);
}

/** One placement for all clients of equal leaves: a query makes none. */
function placesBy(
  leafOf: (client: IpAddress) => number,
  results: readonly Belonging[],
  compiled?: CompiledGeo,
): Places {
  const placements = new Map<number, Placement>();
  return {
    compiled,
    place(client) {
      const leaf = leafOf(client);
      const known = placements.get(leaf);
      if (known) return known;
      const belonging = results[resultOf(leaf)];
      if (belonging === undefined) throw new Error(`the geo table has no result ${resultOf(leaf)}`);
      const placement = { ...belonging, length: lengthOf(leaf) };
      placements.set(leaf, placement);
      return placement;
    },
  };
}
