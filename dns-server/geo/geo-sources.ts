/**
 * What decides where a client belongs: geo data and the plan's regions, as sources of a prefix table. The most exact
 * statement wins:
 *
 *     longest network of a region ─> AS number ─> subdivision ─> country ─> default region
 *
 * A result is a region and an AS number, the latter only where a region or a node names it: what nobody asks for must
 * not divide clients, or the scopes of answers would be narrower than they need to be.
 */
import type { RoutingPlan, RoutingRegion } from '../../contract/plans/routing-plan.ts';
import { type AsnData, asnSources } from './asn-sources.ts';
import { mmdbSources } from './mmdb-source.ts';
import { asnsOfNetworks, type Network } from './networks.ts';
import { placeOf } from './place.ts';
import { NOBODY, type PrefixSource } from './prefix-table.ts';
import type { PrefixTrie } from './prefix-trie.ts';
import { buildRegionTable, type RegionTable, regionOfPlace } from './region-table.ts';

export interface GeoRules {
  regions: readonly RoutingRegion[];
  defaultRegion: string;
  /** AS numbers that nodes name. */
  asns: readonly number[];
}

export function geoRulesOf({ regions, defaultRegion, nodes }: RoutingPlan): GeoRules {
  const asns = new Set(nodes.flatMap(({ isps }) => isps));
  return { regions, defaultRegion, asns: [...asns].sort((a, b) => a - b) };
}

/** The files' content. */
export interface GeoData {
  /** MMDB files with places; the first that knows an address tells. */
  databases: readonly Buffer[];
  asn: AsnData;
  /** The user's own networks. */
  networks: readonly Network[];
}

export interface Belonging {
  region: string;
  asn: number | undefined;
}

export interface GeoSources {
  ipv4: PrefixSource[];
  ipv6: PrefixSource[];
  resolve: (nodes: Int32Array, at: number) => number;
  /** By the number that `resolve` gave; filled as it gives them. */
  results: Belonging[];
}

export function geoSources(data: GeoData, rules: GeoRules): GeoSources {
  const table = buildRegionTable(rules.regions, rules.defaultRegion, data.networks);
  const regions = new Numbers<string>();
  const asns = new Numbers<number>();
  for (const asn of [...table.asns.keys(), ...rules.asns]) asns.of(asn);
  // One that nobody names still hides what the tables say.
  const given = (asn: number) => asns.known(asn) ?? UNNAMED;
  const ownAsns = asnsOfNetworks(data.networks);
  const networks = [versions(table.networks, ({ region }) => regions.of(region)), versions(ownAsns, given)];
  const owners = asnSources(data.asn, (asn) => asns.known(asn) ?? 0);
  const places = placeSources(data.databases, table, (name) => regions.of(name));
  const [asnFrom, placeFrom] = [1, 2 + owners.length];
  const results: Belonging[] = [];
  const numberOf = new Map<number, number>();

  const first = (nodes: Int32Array, from: number, to: number): number => {
    for (let at = from; at < to; at++) {
      const value = ~(nodes[at] ?? -1);
      if (value !== 0) return value;
    }
    return 0;
  };
  const resolve = (nodes: Int32Array, at: number): number => {
    const end = at + placeFrom + places.length;
    const named = first(nodes, at + asnFrom, at + placeFrom);
    const asn = named === UNNAMED ? undefined : asns.value(named);
    const region =
      regions.value(first(nodes, at, at + asnFrom)) ??
      (asn === undefined ? undefined : table.asns.get(asn)) ??
      regions.value(first(nodes, at + placeFrom, end)) ??
      table.defaultRegion;
    const key = regions.of(region) * MAX_NUMBERS + (asn === undefined ? 0 : named);
    const known = numberOf.get(key);
    if (known !== undefined) return known;
    numberOf.set(key, results.length);
    return results.push({ region, asn }) - 1;
  };
  const all = (version: 'ipv4' | 'ipv6') => [
    ...networks.map((source) => source[version]),
    ...owners.map((source) => source[version]),
    ...places.map((source) => source[version]),
  ];
  return { ipv4: all('ipv4'), ipv6: all('ipv6'), resolve, results };
}

function versions<T>(tries: Record<4 | 6, PrefixTrie<T>>, numberFor: (held: T) => number) {
  return { ipv4: tries[4].source(numberFor), ipv6: tries[6].source(numberFor) };
}

/** An AS number that the user gave to a network and that neither a region nor a node names. */
const UNNAMED = 2 ** 22;
const MAX_NUMBERS = 2 ** 23;

function placeSources(
  databases: readonly Buffer[],
  table: RegionTable,
  regionNumber: (name: string) => number,
): { ipv4: PrefixSource; ipv6: PrefixSource }[] {
  return databases.map((file) => {
    const { ipv4, ipv6 } = mmdbSources(file, (record) => {
      const place = placeOf(record);
      if (place === undefined) return 0;
      return regionNumber(regionOfPlace(table, place));
    });
    return { ipv4, ipv6: ipv6 ?? NOBODY };
  });
}

/** Values by number, from 1 on; 0 is none. */
class Numbers<T> {
  readonly #numbers = new Map<T, number>();
  readonly #values: (T | undefined)[] = [undefined];

  of(value: T): number {
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    const number = this.#values.push(value) - 1;
    this.#numbers.set(value, number);
    return number;
  }

  known(value: T): number | undefined {
    return this.#numbers.get(value);
  }

  value(number: number): T | undefined {
    return this.#values[number];
  }
}
