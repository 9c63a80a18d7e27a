/**
 * What stands at a name of a zone: RFC 1034 4.3.2 step 3 in its order, with DNAME (RFC 6672 3.2) and wildcards
 * (RFC 4592 3.3). Pure.
 *
 *     delegation ─> DNAME ─> the name itself ─> wildcard of the closest name that exists ─> nothing
 */
import type { NameEntry, PreparedPlan, PreparedZone } from '../plan/prepared-plan.ts';
import { TYPE } from '../wire/constants.ts';
import { parentKey } from '../wire/name.ts';

export type Found =
  | { kind: 'Entry'; entry: NameEntry }
  | { kind: 'Referral'; cut: NameEntry }
  | { kind: 'Alias'; dname: NameEntry }
  | { kind: 'Missing' };

const MISSING: Found = { kind: 'Missing' };

export function lookup(
  { names }: Pick<PreparedPlan, 'names'>,
  zone: PreparedZone,
  key: string,
  type: number,
): Found {
  const entry = names.get(key);
  if (entry) return atEntry(entry, zone, type);
  const encloser = closestEncloser(names, key);
  if (encloser === undefined) return MISSING;
  if (encloser.cut) return { kind: 'Referral', cut: encloser.cut };
  const dname = encloser.dname ?? (encloser.sets.has(TYPE.DNAME) ? encloser : undefined);
  if (dname) return { kind: 'Alias', dname };
  const wildcard = names.get(`\x01*${encloser.key}`);
  return wildcard?.zone === zone ? { kind: 'Entry', entry: wildcard } : MISSING;
}

function atEntry(found: NameEntry, zone: PreparedZone, type: number): Found {
  // Asked of the zone above, which has the DS (RFC 4035 3.1.4.1), unless somebody between the two has.
  const entry = found.zone === zone ? found : (found.zone.atParent ?? found);
  if (entry.cut && !(type === TYPE.DS && entry.cut === entry)) return { kind: 'Referral', cut: entry.cut };
  return entry.dname ? { kind: 'Alias', dname: entry.dname } : { kind: 'Entry', entry };
}

/** The longest name above `key` that exists. */
function closestEncloser(names: ReadonlyMap<string, NameEntry>, key: string): NameEntry | undefined {
  for (let above = parentKey(key); above; above = parentKey(above)) {
    const entry = names.get(above);
    if (entry) return entry;
  }
  return undefined;
}
