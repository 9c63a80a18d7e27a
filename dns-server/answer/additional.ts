/** Addresses that a client would ask for next: of name servers, mail hosts and services, as far as they are ours. */

import { dsProof } from '../dnssec/denial.ts';
import { zoneOf } from '../plan/names.ts';
import type { NameEntry } from '../plan/prepared-plan.ts';
import type { RecordSet } from '../plan/record-sets.ts';
import { TYPE } from '../wire/constants.ts';
import { SECTION } from '../wire/response.ts';
import { type Asked, type Place, placeAbove, writeSet } from './sections.ts';

/** Where the name begins in the data of a type that names a host (RFC 1035 3.3, RFC 2782). */
const NAME_AT = new Map<number, number>([
  [TYPE.NS, 0],
  [TYPE.MX, 2],
  [TYPE.SRV, 6],
]);

/** `starts` is where the data of each record of the set begins in the message. */
export function writeHosts(asked: Asked, { type, data }: RecordSet, starts: readonly number[]): void {
  const skip = NAME_AT.get(type);
  if (skip === undefined) return;
  // Of two services on one host its addresses stand once (RFC 2181 5).
  const written = new Set<string>();
  for (const [index, start] of starts.entries()) {
    const key = Buffer.from(data[index] ?? []).toString('latin1', skip);
    if (written.has(key)) continue;
    written.add(key);
    writeAddresses(asked, { key, owner: start + skip }, false);
  }
}

/**
 * A referral: the delegation's name servers, unsigned since they are the child's to sign; its DS or the proof that it
 * has none (RFC 4035 3.1.4); and the addresses that lie below the cut, without which nobody could go on (RFC 9471).
 */
export function writeReferral(asked: Asked, at: Place, cut: NameEntry): undefined {
  const { writer, signer } = asked;
  const place = placeAbove(at, cut.key);
  const servers = cut.sets.get(TYPE.NS);
  if (servers === undefined) return;
  const starts = writeSet({ ...asked, signer: undefined }, SECTION.AUTHORITY, place, servers);
  if (starts === undefined) return;
  if (signer) writeSet(asked, SECTION.AUTHORITY, place, dsProof(cut, signer, asked.zone));
  for (const [index, owner] of starts.entries()) {
    const key = Buffer.from(servers.data[index] ?? []).toString('latin1');
    writeAddresses({ ...asked, signer: undefined }, { key, owner }, key.endsWith(cut.key));
    if (writer.truncated) return;
  }
}

/** A set is there whole or not at all: half of one would be taken for the whole (RFC 2181 9). */
function writeAddresses(asked: Asked, place: Place, needed: boolean): void {
  const { view, writer, zone } = asked;
  const entry = view.plan.names.get(place.key);
  if (entry === undefined || zoneOf(view.plan.zones, place.key) !== zone) return;
  // What lies below a delegation is glue, the child's to sign (RFC 4035 2.2).
  const signing = entry.cut ? { ...asked, signer: undefined } : asked;
  for (const type of [TYPE.A, TYPE.AAAA]) {
    const set = entry.sets.get(type);
    if (set === undefined) continue;
    if (needed || writer.hasRoomFor(set.data)) writeRecords(signing, place, set, needed);
  }
}

function writeRecords(
  { writer, signer, now }: Asked,
  { key, owner }: Place,
  set: RecordSet,
  needed: boolean,
) {
  const { type, ttl } = set;
  for (const data of set.data) writer.record(SECTION.ADDITIONAL, owner, type, ttl, data, needed);
  for (const signature of signer?.signatures(key, set, now) ?? []) {
    writer.record(SECTION.ADDITIONAL, owner, TYPE.RRSIG, ttl, signature);
  }
}
