/**
 * The names of the zones, each with what stands there; names between them and the apex exist too (RFC 8020). Who comes
 * first where several claim one name: a domain's CNAME target, static records, a domain's hostname inside a zone.
 */

import type { Revision } from '../../contract/plans/revision.ts';
import { TYPE } from '../wire/constants.ts';
import { keyOfName, parentKey } from '../wire/name.ts';
import type { NameEntry, Names, PreparedDomain, PreparedNode, PreparedZone } from './prepared-plan.ts';
import { addAddresses, addRecords, type RecordSets, staticRecord } from './record-sets.ts';
import { soaOf, ZONE_TTL } from './zone.ts';

/** TTL of a node's own addresses: a machine is seldom renumbered, and nobody's traffic follows this name. */
const NODE_TTL = 60;

/** What names are built from. */
export interface NameSources {
  zones: Map<string, PreparedZone>;
  domains: readonly PreparedDomain[];
  nodes: readonly PreparedNode[];
  revision: Revision;
}

export function buildNames({ zones, domains, nodes, revision }: NameSources): Names {
  const built: Names = { names: new Map(), below: new Map(), contested: new Set() };
  const { names, contested } = built;
  const at = (key: string): NameEntry | undefined => entryAt(built, zones, key);
  for (const [key, zone] of zones) {
    names.set(key, emptyEntry(zone, key));
  }
  for (const zone of zones.values()) placeInParent(built, zones, zone);
  for (const zone of zones.values()) addZoneRecords(zone, revision, zones, at);
  for (const zone of zones.values()) delegate(zone);
  for (const { spec, addresses } of nodes) {
    for (const zone of zones.values()) {
      const entry = at(keyOfName(`${spec.name}.node.${zone.spec.name}`));
      if (entry) addAddresses(ownSets(entry), addresses, NODE_TTL);
    }
  }
  for (const domain of domains) {
    const entry = at(keyOfName(domain.spec.cname));
    if (entry) placeDomain(entry, domain, contested);
  }
  for (const domain of domains)
    for (const hostname of domain.spec.hostnames) addHostname(hostname, domain, at, contested);
  for (const entry of names.values()) findCuts(names, entry);
  for (const { atParent } of zones.values()) if (atParent) findCuts(names, atParent);
  return built;
}

/** A zone inside another of ours. The names between the two exist because of it (RFC 8020), as if it were a delegation. */
function placeInParent(built: Names, zones: ReadonlyMap<string, PreparedZone>, zone: PreparedZone): void {
  const above = parentKey(zone.key) ?? '';
  const parent = zoneOf(zones, above);
  if (parent === undefined) return;
  zone.atParent = emptyEntry(parent, zone.key);
  entryAt(built, zones, above);
  countBelow(built.below, above);
}

/** SOA and NS at the apex, the name servers' own addresses, and the records that people wrote. */
function addZoneRecords(
  zone: PreparedZone,
  revision: Revision,
  zones: ReadonlyMap<string, PreparedZone>,
  at: (key: string) => NameEntry | undefined,
): void {
  const apex = at(zone.key);
  if (apex === undefined) return;
  addRecords(ownSets(apex), soaOf(zone, revision));
  for (const { data, key, glue } of zone.nameServers) {
    addRecords(ownSets(apex), { type: TYPE.NS, ttl: ZONE_TTL, data: [data] });
    // A name server outside all zones has its addresses somewhere else.
    const entry = at(key);
    if (entry) addAddresses(ownSets(entry), glue, ZONE_TTL);
  }
  for (const record of zone.spec.records) {
    const key = keyOfName(record.name);
    // What a zone says of a child that is ours too stands on its own side of the cut (RFC 4035 3.1.4.1).
    const child = key === zone.key ? undefined : zones.get(key);
    const entry = child?.atParent ?? at(key);
    if (entry?.zone === zone) addRecords(ownSets(entry), staticRecord(record, zone.spec.name));
  }
}

/**
 * The zone above says who has this one, be it that nobody wrote it down there: without NS in its NSEC record the proof
 * that there is no DS is none, and an unsigned zone in a signed one is bogus (RFC 6840 4.4).
 */
function delegate({ atParent, nameServers }: PreparedZone): void {
  if (atParent === undefined || atParent.sets.has(TYPE.NS)) return;
  const data = nameServers.map((server) => server.data);
  addRecords(ownSets(atParent), { type: TYPE.NS, ttl: ZONE_TTL, data });
}

const ADDRESSES = [TYPE.A, TYPE.AAAA, TYPE.CNAME];

/** Its answer stands in the place of addresses and CNAMEs that are the same for everybody. */
function placeDomain(entry: NameEntry, domain: PreparedDomain, contested: Set<string>): void {
  if (entry.domain) contested.add(entry.key);
  entry.domain = domain;
  for (const type of ADDRESSES) if (entry.sets.delete(type)) contested.add(entry.key);
}

/**
 * A hostname inside our own zones, the apex above all, needs no CNAME: it is answered like the domain's target. Not
 * where addresses stand already: a tenant must not take a name server's name, or another's target.
 */
function addHostname(
  hostname: string,
  domain: PreparedDomain,
  at: (key: string) => NameEntry | undefined,
  contested: Set<string>,
): void {
  const entry = at(keyOfName(hostname));
  if (entry?.domain && entry.domain !== domain) contested.add(entry.key);
  if (entry === undefined || entry.domain) return;
  if (ADDRESSES.some((type) => entry.sets.has(type))) return;
  entry.domain = domain;
}

/** Of most names: a hundred thousand domains have no records of their own, and a map for each would be a fifth of a kilobyte. */
const NO_SETS: RecordSets = new Map();

/** To be written to. */
function ownSets(entry: NameEntry): RecordSets {
  if (entry.sets === NO_SETS) entry.sets = new Map();
  return entry.sets;
}

export function emptyEntry(zone: PreparedZone, key: string): NameEntry {
  return {
    key,
    zone,
    apex: key === zone.key,
    sets: NO_SETS,
    domain: undefined,
    cut: undefined,
    dname: undefined,
  };
}

/** The entry at `key`, made when it is missing, with those between it and its zone's apex. */
export function entryAt(
  { names, below }: Pick<Names, 'names' | 'below'>,
  zones: ReadonlyMap<string, PreparedZone>,
  key: string,
): NameEntry | undefined {
  const found = names.get(key);
  if (found) return found;
  const zone = zoneOf(zones, key);
  if (zone === undefined) return undefined;
  for (let name: string | undefined = key; name && !names.has(name); name = parentKey(name)) {
    names.set(name, emptyEntry(zone, name));
    countBelow(below, parentKey(name) ?? '');
  }
  return names.get(key);
}

/** One more name stands right below this one. */
function countBelow(below: Names['below'], key: string): void {
  below.set(key, (below.get(key) ?? 0) + 1);
}

/** The highest delegation at or above the name, and the highest DNAME above it: what lies below is not ours to answer. */
function findCuts(names: ReadonlyMap<string, NameEntry>, entry: NameEntry): void {
  for (let at: NameEntry | undefined = entry; at && !at.apex; at = names.get(parentKey(at.key) ?? '')) {
    if (at.sets.has(TYPE.NS)) entry.cut = at;
    if (at !== entry && at.sets.has(TYPE.DNAME)) entry.dname = at;
  }
}

/** The closest enclosing zone of a name, or nothing when it lies outside all of them. */
export function zoneOf(zones: ReadonlyMap<string, PreparedZone>, key: string): PreparedZone | undefined {
  for (let name: string | undefined = key; name; name = parentKey(name)) {
    const zone = zones.get(name);
    if (zone) return zone;
  }
  return undefined;
}
