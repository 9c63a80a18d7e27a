/**
 * Which region an address belongs to. The most exact statement wins:
 *
 *     longest CIDR member ─> subdivision member ─> country member ─> default region
 */
import ipaddr from 'ipaddr.js';
import type { RoutingRegion } from '../../contract/plans/routing-plan.ts';
import type { GeoDatabase } from './geo-database.ts';
import type { IpAddress } from './ip-address.ts';
import type { Place } from './place.ts';
import { PrefixTrie } from './prefix-trie.ts';

export type DecidedBy = 'cidr' | 'subdivision' | 'country' | 'default';

export interface Placement {
  region: string;
  decidedBy: DecidedBy;
  /** The member that decided: a network, a code; nothing for the default region. */
  member: string | undefined;
  /** Every address that shares this many bits is placed the same way. */
  length: number;
}

interface CidrMember {
  region: string;
  cidr: string;
}

export interface RegionTable {
  ipv4: PrefixTrie<CidrMember>;
  ipv6: PrefixTrie<CidrMember>;
  subdivisions: Map<string, string>;
  countries: Map<string, string>;
  defaultRegion: string;
}

export function buildRegionTable(regions: readonly RoutingRegion[], defaultRegion: string): RegionTable {
  const table: RegionTable = {
    ipv4: new PrefixTrie(),
    ipv6: new PrefixTrie(),
    subdivisions: new Map(),
    countries: new Map(),
    defaultRegion,
  };
  for (const { name, countries, subdivisions, cidrs } of regions) {
    // Of two regions that claim one member the first has it.
    for (const code of countries) if (!table.countries.has(code)) table.countries.set(code, name);
    for (const code of subdivisions) if (!table.subdivisions.has(code)) table.subdivisions.set(code, name);
    for (const cidr of cidrs) addCidr(table, name, cidr);
  }
  return table;
}

function addCidr(table: RegionTable, region: string, cidr: string): void {
  const [network, length] = ipaddr.parseCIDR(cidr);
  const trie = network.kind() === 'ipv4' ? table.ipv4 : table.ipv6;
  trie.add(Uint8Array.from(network.toByteArray()), length, { region, cidr });
}

export function placeClient(table: RegionTable, geo: GeoDatabase, client: IpAddress): Placement {
  const { value, depth } = (client.version === 4 ? table.ipv4 : table.ipv6).match(client.bytes);
  if (value) return { region: value.region, decidedBy: 'cidr', member: value.cidr, length: depth };
  const located = geo.locate(client);
  // A CIDR member inside the leaf: beyond where the client's way parts from it the leaf is one.
  return { ...placeByCode(table, located.place ?? {}), length: Math.max(located.length, depth) };
}

function placeByCode(table: RegionTable, { country, subdivision }: Place): Omit<Placement, 'length'> {
  const ofSubdivision = subdivision && table.subdivisions.get(subdivision);
  if (ofSubdivision) return { region: ofSubdivision, decidedBy: 'subdivision', member: subdivision };
  const ofCountry = country && table.countries.get(country);
  if (ofCountry) return { region: ofCountry, decidedBy: 'country', member: country };
  return { region: table.defaultRegion, decidedBy: 'default', member: undefined };
}
