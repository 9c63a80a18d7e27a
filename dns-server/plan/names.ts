/** The names of the zones, each with what stands there; names between them and the apex exist too (RFC 8020). */
import { keyOfName, parentKey } from '../wire/name.ts';
import type { NameEntry, PreparedDomain, PreparedNode, PreparedZone } from './prepared-plan.ts';
import { ZONE_TTL } from './zone.ts';

/** TTL of a node's own addresses: a machine is seldom renumbered, and nobody's traffic follows this name. */
const NODE_TTL = 60;

export function buildNames(
  zones: Map<string, PreparedZone>,
  domains: readonly PreparedDomain[],
  nodes: readonly PreparedNode[],
): Map<string, NameEntry> {
  const names = new Map<string, NameEntry>();
  const at = (key: string): NameEntry | undefined => entryAt(names, zones, key);
  for (const [key, zone] of zones) {
    names.set(key, { zone, apex: true, addresses: [], addressTtl: NODE_TTL, domain: undefined });
  }
  for (const { spec, addresses } of nodes) {
    for (const zone of zones.values()) {
      at(keyOfName(`${spec.name}.node.${zone.spec.name}`))?.addresses.push(...addresses);
    }
  }
  for (const domain of domains) {
    const entry = at(keyOfName(domain.spec.cname));
    if (entry) entry.domain = domain;
  }
  for (const { nameServers } of zones.values()) {
    // A name server outside all zones has its addresses somewhere else.
    for (const { key, glue } of nameServers) addGlue(at(key), glue);
  }
  return names;
}

/** Two zones may have one name server. */
function addGlue(entry: NameEntry | undefined, glue: NameEntry['addresses']): void {
  const known = new Set(entry?.addresses.map(({ text }) => text));
  if (entry === undefined) return;
  entry.addresses.push(...glue.filter(({ text }) => !known.has(text)));
  // One TTL for all that asks for them, be it as glue or by name (RFC 2181 5.2).
  entry.addressTtl = ZONE_TTL;
}

/** The entry at `key`, made when it is missing, with those between it and its zone's apex. */
function entryAt(
  names: Map<string, NameEntry>,
  zones: Map<string, PreparedZone>,
  key: string,
): NameEntry | undefined {
  const zone = zoneOf(zones, key);
  if (zone === undefined) return undefined;
  for (let name: string | undefined = key; name && !names.has(name); name = parentKey(name)) {
    names.set(name, { zone, apex: false, addresses: [], addressTtl: NODE_TTL, domain: undefined });
  }
  return names.get(key);
}

/** The closest enclosing zone of a name, or nothing when it lies outside all of them. */
export function zoneOf(zones: ReadonlyMap<string, PreparedZone>, key: string): PreparedZone | undefined {
  for (let name: string | undefined = key; name; name = parentKey(name)) {
    const zone = zones.get(name);
    if (zone) return zone;
  }
  return undefined;
}
