/** Writes sets of records, signed where the zone is and the client wants it, and the proofs that there is none. */

import { nsecAt } from '../dnssec/denial.ts';
import type { ZoneSigner } from '../dnssec/zone-signer.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import type { NameEntry, PreparedZone } from '../plan/prepared-plan.ts';
import type { RecordSet, RecordSets } from '../plan/record-sets.ts';
import { negativeTtl } from '../plan/zone.ts';
import { RCODE, TYPE } from '../wire/constants.ts';
import type { Query } from '../wire/query.ts';
import { type ResponseWriter, SECTION, type Section } from '../wire/response.ts';
import type { View } from './view.ts';

/** One query on its way through the names of a zone. */
export interface Asked {
  view: View;
  geo: GeoDatabase;
  query: Query;
  /** Where the query came from. */
  source: IpAddress;
  /** Milliseconds since the Unix epoch. */
  now: number;
  writer: ResponseWriter;
  zone: PreparedZone;
  /** What the zone's keys add to its apex. */
  keySets: RecordSets | undefined;
  /** Of the zone, when the client wants signatures. */
  signer: ZoneSigner | undefined;
}

/** A name, and where in the message it can be pointed at. */
export interface Place {
  key: string;
  owner: number;
}

/** A name above one that is in the message stands at the end of it. */
export function placeAbove({ key, owner }: Place, above: string): Place {
  return { key: above, owner: owner + key.length - above.length };
}

/** Returns where the data of each record begins; nothing when they do not fit. */
export function writeSet(
  { writer, signer, now }: Pick<Asked, 'writer' | 'signer' | 'now'>,
  section: Section,
  { key, owner }: Place,
  set: RecordSet,
  ttl: number = set.ttl,
): number[] | undefined {
  const starts: number[] = [];
  for (const data of set.data) {
    const start = writer.record(section, owner, set.type, ttl, data);
    if (start === undefined) return undefined;
    starts.push(start);
  }
  for (const signature of signer?.signatures(key, set, now) ?? []) {
    if (writer.record(section, owner, TYPE.RRSIG, ttl, signature) === undefined) return undefined;
  }
  return starts;
}

/** NODATA: the zone's SOA tells for how long (RFC 2308 2.2), and of a signed zone an NSEC what else is there. */
export function writeNoData(asked: Asked, at: Place, entry: NameEntry, ttl = negativeTtl(asked.zone)): void {
  writeSoa(asked, at, ttl);
  if (asked.signer)
    writeSet(asked, SECTION.AUTHORITY, at, nsecAt(at.key, entry, asked.signer, asked.query.type, ttl));
}

/**
 * NXDOMAIN (RFC 2308 2.1). Signed, it says that the name is there with nothing at it but NXNAME, and the code is
 * NOERROR so that validators take it for what it proves, unless the client knows better (RFC 9824 3.1, 5.1).
 */
export function writeNameError(asked: Asked, at: Place): undefined {
  const { writer, query, signer, zone } = asked;
  const ttl = negativeTtl(zone);
  if (!signer || query.edns?.compactOk) writer.setRcode(RCODE.NXDOMAIN);
  writeSoa(asked, at, ttl);
  if (signer) writeSet(asked, SECTION.AUTHORITY, at, nsecAt(at.key, undefined, signer, query.type, ttl));
}

function writeSoa(asked: Asked, at: Place, ttl: number): void {
  const { zone, view } = asked;
  const soa = view.plan.names.get(zone.key)?.sets.get(TYPE.SOA);
  if (soa === undefined) throw new Error(`zone ${zone.spec.name} has no SOA record`);
  writeSet(asked, SECTION.AUTHORITY, placeAbove(at, zone.key), soa, ttl);
}
