/**
 * What is said of one name, written into the response. The checks in their order:
 *
 *     plan ─> class ─> type ─> zone ─> transfer ─> the name, and the names that it is an alias of
 */

import type { ZoneSigner } from '../dnssec/zone-signer.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { zoneOf } from '../plan/names.ts';
import type { NameEntry } from '../plan/prepared-plan.ts';
import { CLASS_IN, EXTENDED_ERROR, RCODE, TYPE } from '../wire/constants.ts';
import { parentKey } from '../wire/name.ts';
import type { Query } from '../wire/query.ts';
import { QUESTION_NAME, type ResponseWriter, SECTION } from '../wire/response.ts';
import { writeReferral } from './additional.ts';
import type { DomainAnswer } from './answer-domain.ts';
import { answerEntry } from './answer-entry.ts';
import { lookup } from './lookup.ts';
import { type Asked, type Place, placeAbove, writeNameError, writeSet } from './sections.ts';
import type { View } from './view.ts';

export interface Question {
  geo: GeoDatabase;
  query: Query;
  /** Where the query came from. */
  source: IpAddress;
  now: number;
  writer: ResponseWriter;
  /** By zone; a zone without one is not signed. */
  signers: ReadonlyMap<string, ZoneSigner>;
}

/** Says what was chosen, if a domain's addresses were asked for. */
export function answerName(question: Question, view: View | undefined): DomainAnswer | undefined {
  const { query, writer, signers } = question;
  if (view === undefined) return refuse(writer, EXTENDED_ERROR.NOT_READY);
  if (query.class !== CLASS_IN) return refuse(writer);
  // RFC 9824 3.5: it stands in proofs and cannot be asked for.
  if (query.type === TYPE.NXNAME) return writer.setRcode(RCODE.FORMERR, EXTENDED_ERROR.INVALID_TYPE);
  const zone = zoneAsked(view, query);
  if (zone === undefined) return refuse(writer, EXTENDED_ERROR.NOT_AUTHORITATIVE);
  // Nobody transfers a zone whose answers depend on who asks.
  if (query.type === TYPE.AXFR || query.type === TYPE.IXFR) return refuse(writer, EXTENDED_ERROR.PROHIBITED);
  const signer = zone.spec.dnssec ? signers.get(zone.key) : undefined;
  return follow({
    ...question,
    view,
    zone,
    keySets: signer?.sets,
    signer: query.edns?.dnssecOk ? signer : undefined,
  });
}

function refuse(writer: ResponseWriter, extendedError?: number): undefined {
  writer.setRcode(RCODE.REFUSED, extendedError);
}

/** The closest enclosing zone; for DS the one above, where that is ours too (RFC 4035 3.1.4.1). */
function zoneAsked({ plan: { zones, names } }: View, { key, type }: Query) {
  const zone = names.get(key)?.zone ?? zoneOf(zones, key);
  const above = type === TYPE.DS && zone?.key === key ? zoneOf(zones, parentKey(key) ?? '') : undefined;
  return above ?? zone;
}

/** A chain longer than this is a mistake, and many resolvers would not follow it either. */
const MAX_ALIASES = 16;

/** The name and, while it is an alias inside the zone, the name behind it (RFC 1034 4.3.2 3a). */
function follow(asked: Asked): DomainAnswer | undefined {
  const { query, view, zone, writer } = asked;
  let at: Place = { key: query.key, owner: QUESTION_NAME };
  const seen = new Set<string>();
  const dnames = new Set<NameEntry>();
  while (seen.size <= MAX_ALIASES && !seen.has(at.key)) {
    seen.add(at.key);
    const found = lookup(view.plan, zone, at.key, query.type);
    // Whether it is authoritative goes by the name that was asked for (RFC 1035 4.1.1).
    if (seen.size === 1 && found.kind !== 'Referral') writer.setAuthoritative();
    if (found.kind === 'Referral') return writeReferral(asked, at, found.cut);
    if (found.kind === 'Missing') return writeNameError(asked, at);
    if (found.kind === 'Entry' && !isAlias(found.entry, query.type))
      return answerEntry(asked, at, found.entry);
    const next =
      found.kind === 'Alias'
        ? writeDname(asked, at, found.dname, dnames)
        : writeCname(asked, at, found.entry);
    if (next === undefined || zoneOf(view.plan.zones, next.key) !== zone) return undefined;
    // The CNAME that a DNAME means is all that was asked for, as one that stands there would be.
    if (query.type === TYPE.CNAME) return undefined;
    at = next;
  }
  return undefined;
}

function isAlias({ sets }: NameEntry, type: number): boolean {
  if (!sets.has(TYPE.CNAME)) return false;
  return ![TYPE.CNAME, TYPE.ANY, TYPE.RRSIG, TYPE.NSEC].some((own) => own === type);
}

function writeCname(asked: Asked, at: Place, { sets }: NameEntry): Place | undefined {
  const set = sets.get(TYPE.CNAME);
  const [owner] = (set && writeSet(asked, SECTION.ANSWER, at, set)) ?? [];
  return owner === undefined ? undefined : { key: keyOf(set?.data[0]), owner };
}

const MAX_NAME = 255;

/**
 * The DNAME, and the CNAME that it means for this name: unsigned, since anyone can make it (RFC 6672 3.1, 5.3.1). One
 * that the chain went through before is among `written` and not there twice (RFC 2181 5).
 */
function writeDname(asked: Asked, at: Place, entry: NameEntry, written: Set<NameEntry>): Place | undefined {
  const { key, sets } = entry;
  const dname = sets.get(TYPE.DNAME);
  if (dname === undefined) return undefined;
  const isThere =
    written.has(entry) || writeSet(asked, SECTION.ANSWER, placeAbove(at, key), dname) !== undefined;
  if (!isThere) return undefined;
  written.add(entry);
  const target = at.key.slice(0, at.key.length - key.length) + keyOf(dname.data[0]);
  if (target.length > MAX_NAME) {
    asked.writer.setRcode(RCODE.YXDOMAIN);
    return undefined;
  }
  const cname = { type: TYPE.CNAME, ttl: dname.ttl, data: [Buffer.from(target, 'latin1')] };
  const [owner] = writeSet({ ...asked, signer: undefined }, SECTION.ANSWER, at, cname) ?? [];
  return owner === undefined ? undefined : { key: target, owner };
}

function keyOf(name: Uint8Array | undefined): string {
  return Buffer.from(name ?? []).toString('latin1');
}
