/**
 * The names of a plan in which some domains came and went: what stays is taken over as it is. Nothing where it takes
 * more than that to know what stands at a name: records beside a domain, delegations, several who claim it. Pure.
 */
import { TYPE } from '../wire/constants.ts';
import { keyOfName, parentKey } from '../wire/name.ts';
import { emptyEntry, entryAt, zoneOf } from './names.ts';
import type { NameEntry, Names, PreparedDomain, PreparedZone } from './prepared-plan.ts';

type Zones = ReadonlyMap<string, PreparedZone>;

export interface DomainChanges {
  gone: readonly PreparedDomain[];
  fresh: readonly PreparedDomain[];
}

export function changeNames(before: Names, zones: Zones, { gone, fresh }: DomainChanges): Names | undefined {
  const { contested } = before;
  const names: Names = { names: new Map(before.names), below: new Map(before.below), contested };
  const left: string[] = [];
  for (const domain of gone) {
    for (const key of claimsOf(domain, zones)) {
      const entry = names.names.get(key);
      if (names.contested.has(key) || (entry?.domain === domain && !isPlain(entry))) return undefined;
      if (entry?.domain !== domain) continue;
      names.names.set(key, emptyEntry(entry.zone, key));
      left.push(key);
    }
  }
  for (const domain of fresh)
    for (const key of claimsOf(domain, zones)) if (!claim(names, zones, key, domain)) return undefined;
  for (const key of left) prune(names, key);
  return names;
}

/** The names that these ask for, or asked for. */
export function claimedBy({ gone, fresh }: DomainChanges, zones: Zones): string[] {
  return [...gone, ...fresh].flatMap((domain) => claimsOf(domain, zones));
}

/** The names that it asks for, of those that are ours. */
function claimsOf({ spec }: PreparedDomain, zones: Zones): string[] {
  return [spec.cname, ...spec.hostnames].map(keyOfName).filter((key) => zoneOf(zones, key));
}

/** Nothing stands there but a domain, if one does. */
function isPlain({ sets, cut, dname }: NameEntry): boolean {
  return sets.size === 0 && !cut && !dname;
}

function claim(names: Names, zones: Zones, key: string, domain: PreparedDomain): boolean {
  if (names.contested.has(key)) return false;
  const above = closest(names, key);
  const entry = entryAt(names, zones, key);
  if (entry?.domain === domain) return true;
  // What stands above a name that is new stands above it, too.
  const clear = above && (above.apex || isPlain(above)) && !above.sets.has(TYPE.DNAME);
  if (!entry || !clear || entry.domain || !isPlain(entry)) return false;
  names.names.set(key, { ...emptyEntry(entry.zone, key), domain });
  return true;
}

function closest({ names }: Names, key: string): NameEntry | undefined {
  for (let at: string | undefined = key; at; at = parentKey(at)) {
    const entry = names.get(at);
    if (entry) return entry;
  }
  return undefined;
}

/** Takes the name away, and those above it, where nothing needs them any more. */
function prune({ names, below }: Names, key: string): void {
  for (let at: string | undefined = key; at; ) {
    const entry = names.get(at);
    if (!entry || entry.apex || entry.domain || !isPlain(entry) || below.has(at)) return;
    names.delete(at);
    at = parentKey(at);
    const others = (below.get(at ?? '') ?? 0) - 1;
    if (others > 0) below.set(at ?? '', others);
    else below.delete(at ?? '');
  }
}
