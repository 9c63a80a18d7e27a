/**
 * Which region an address belongs to. The most exact statement wins:
 *
 *     longest CIDR member ─> AS number ─> subdivision ─> country ─> default region
 */
import { NO_REGION, type RoutingRegion } from '../../contract/plans/routing-plan.ts';
import type { CompiledGeo } from './compile.ts';
import type { GeoDatabase } from './geo-database.ts';
import type { IpAddress } from './ip-address.ts';
import { type Network, parseCidr } from './networks.ts';
import type { Place } from './place.ts';
import { PrefixTrie } from './prefix-trie.ts';
import { spotOf } from './spot.ts';

export type DecidedBy = 'cidr' | 'asn' | 'subdivision' | 'country' | 'default';

export interface Placement {
  region: string;
  /** The client's AS number, where a region or a node names it. */
  asn: number | undefined;
  /** Every address that shares this many bits is placed the same way. */
  length: number;
}

/** Why a client is in its region. */
export interface Reason {
  decidedBy: DecidedBy;
  /** The member that decided: a network, an AS number, a code; nothing for the default region. */
  member: string | undefined;
}

interface CidrMember {
  region: string;
  cidr: string;
}

export interface RegionTable {
  networks: Record<4 | 6, PrefixTrie<CidrMember>>;
  asns: Map<number, string>;
  subdivisions: Map<string, string>;
  countries: Map<string, string>;
  defaultRegion: string;
  /** The same, compiled with geo data into flat tables: what clients are placed by once it is there. */
  places: Places | undefined;
}

/** Places clients by everything that is known of them. */
export interface Places {
  place(client: IpAddress): Placement;
  /** The tables behind it, for those who look up by themselves. */
  compiled: CompiledGeo | undefined;
}

export function buildRegionTable(
  regions: readonly RoutingRegion[],
  defaultRegion: string,
  networks: readonly Network[] = [],
): RegionTable {
  const table: RegionTable = {
    networks: { 4: new PrefixTrie(), 6: new PrefixTrie() },
    asns: new Map(),
    subdivisions: new Map(),
    countries: new Map(),
    defaultRegion,
    places: undefined,
  };
  for (const { name, countries, subdivisions, asns, cidrs } of regions) {
    // Of two regions that claim one member the first has it.
    for (const code of countries) if (!table.countries.has(code)) table.countries.set(code, name);
    for (const code of subdivisions) if (!table.subdivisions.has(code)) table.subdivisions.set(code, name);
    for (const asn of asns) if (!table.asns.has(asn)) table.asns.set(asn, name);
    for (const cidr of cidrs) addNetwork(table, name, cidr);
  }
  for (const { region, cidr } of networks) if (region !== undefined) addNetwork(table, region, cidr);
  return table;
}

function addNetwork({ networks }: RegionTable, region: string, cidr: string): void {
  const { version, bytes, length } = parseCidr(cidr);
  networks[version].add(bytes, length, { region, cidr });
}

export function placeClient(table: RegionTable, geo: GeoDatabase, client: IpAddress): Placement {
  if (table.places) return table.places.place(client);
  const { value, depth } = table.networks[client.version].match(client.bytes);
  if (value) return { region: value.region, asn: undefined, length: depth };
  const { place, length } = geo.locate(client);
  const region = regionOfPlace(table, place ?? {});
  // A CIDR member inside the leaf: beyond where the client's way parts from it the leaf is one.
  return { region, asn: undefined, length: Math.max(length, depth) };
}

/** Which member decided, of what is known of a client. */
export function reasonFor(
  table: RegionTable,
  client: IpAddress,
  { place, asn }: { place: Place | undefined; asn: number | undefined },
): Reason {
  const network = table.networks[client.version].match(client.bytes).value;
  if (network) return { decidedBy: 'cidr', member: network.cidr };
  if (asn !== undefined && table.asns.has(asn)) return { decidedBy: 'asn', member: `AS${asn}` };
  const byCode = regionByCode(table, place ?? {});
  if (byCode) return { decidedBy: byCode.decidedBy, member: byCode.member };
  return { decidedBy: 'default', member: undefined };
}

/** Where there are no regions it is the client's spot on the map. */
export function regionOfPlace(table: RegionTable, place: Place): string {
  const byCode = regionByCode(table, place);
  if (byCode) return byCode.region;
  return table.defaultRegion === NO_REGION && place.location ? spotOf(place.location) : table.defaultRegion;
}

function regionByCode(
  { subdivisions, countries }: RegionTable,
  { country, subdivision }: Place,
): (Reason & { region: string }) | undefined {
  const ofSubdivision = subdivision && subdivisions.get(subdivision);
  if (ofSubdivision) return { region: ofSubdivision, decidedBy: 'subdivision', member: subdivision };
  const ofCountry = country && countries.get(country);
  return ofCountry ? { region: ofCountry, decidedBy: 'country', member: country } : undefined;
}
