/**
 * One query to one response: bytes in, bytes out; no socket, no clock. The order of the checks is the protocol's.
 *
 *     readQuery ──> silence | error
 *       version ─> class ─> transfer ─> zone ─> name ─> type
 */
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { zoneOf } from '../plan/names.ts';
import type { PreparedAddress } from '../plan/prepared-address.ts';
import type { NameEntry, PreparedDomain, PreparedZone } from '../plan/prepared-plan.ts';
import { negativeTtl, ZONE_TTL } from '../plan/zone.ts';
import {
  CLASS_IN,
  EXTENDED_ERROR,
  MAX_TCP_BYTES,
  MAX_UDP_BYTES,
  PLAIN_UDP_BYTES,
  RCODE,
  TYPE,
} from '../wire/constants.ts';
import { type Edns, isFault, type Query, readQuery } from '../wire/query.ts';
import { QUESTION_NAME, type ResponseWriter, SECTION } from '../wire/response.ts';
import { answerDomain } from './answer-domain.ts';
import { clientOf, scopeOf } from './client.ts';
import type { View } from './view.ts';

export type Transport = 'udp' | 'tcp';

export interface Responder {
  /** Nothing before the first plan: every name is outside the zones then. */
  view: View | undefined;
  geo: GeoDatabase;
}

/** What was answered, for the metrics. */
export interface Responded {
  /** Bytes in the writer's buffer; 0 is silence. */
  length: number;
  type: number;
  rcode: number;
  truncated: boolean;
  domain: PreparedDomain | undefined;
}

/** RFC 8482 4.2: the CPU field says why there is no more. */
const ANY_HINFO = Buffer.from('\x07RFC8482\x00', 'latin1');
const ANY_TTL = 3_600;

const SILENCE: Responded = { length: 0, type: 0, rcode: 0, truncated: false, domain: undefined };

export function respond(
  { view, geo }: Responder,
  message: Buffer,
  source: IpAddress,
  transport: Transport,
  writer: ResponseWriter,
): Responded {
  const query = readQuery(message);
  if (query === undefined) return SILENCE;
  writer.begin(message, query, limitOf(transport, query.edns));
  let domain: PreparedDomain | undefined;
  if ((query.edns?.version ?? 0) !== 0) writer.setRcode(RCODE.BADVERS);
  else if (isFault(query)) writer.setRcode(query.rcode);
  else domain = answer(view, geo, query, source, writer);
  const type = isFault(query) ? 0 : query.type;
  const length = writer.finish();
  return { length, type, rcode: writer.rcode, truncated: writer.truncated, domain };
}

/** The largest response that may be sent: what the client takes, and what crosses any network in one piece. */
function limitOf(transport: Transport, edns: Edns | undefined): number {
  if (transport === 'tcp') return MAX_TCP_BYTES;
  return edns ? Math.min(Math.max(edns.udpBytes, PLAIN_UDP_BYTES), MAX_UDP_BYTES) : PLAIN_UDP_BYTES;
}

function answer(
  view: View | undefined,
  geo: GeoDatabase,
  query: Query,
  source: IpAddress,
  writer: ResponseWriter,
): PreparedDomain | undefined {
  if (view === undefined) return refuse(writer, EXTENDED_ERROR.NOT_READY);
  if (query.class !== CLASS_IN) return refuse(writer);
  const { names, zones } = view.plan;
  const entry = names.get(query.key);
  const zone = entry?.zone ?? zoneOf(zones, query.key);
  if (zone === undefined) return refuse(writer, EXTENDED_ERROR.NOT_AUTHORITATIVE);
  // Nobody transfers a zone whose answers depend on who asks.
  if (query.type === TYPE.AXFR || query.type === TYPE.IXFR) return refuse(writer);
  writer.setAuthoritative();
  writer.setScope(0);
  if (entry === undefined) {
    writer.setRcode(RCODE.NXDOMAIN);
    negative(writer, zone, query, negativeTtl(zone));
  } else if (query.type === TYPE.ANY) {
    answerAny(entry, query, writer);
  } else if (entry.apex && (query.type === TYPE.SOA || query.type === TYPE.NS)) {
    answerZone(view, entry.zone, query, writer);
  } else {
    return answerAddress(view, geo, entry, query, source, writer);
  }
  return undefined;
}

function refuse(writer: ResponseWriter, extendedError?: number): undefined {
  writer.setRcode(RCODE.REFUSED, extendedError);
}

/** NXDOMAIN and NODATA: the zone's SOA tells for how long (RFC 2308 2.1 and 2.2). */
function negative(writer: ResponseWriter, zone: PreparedZone, query: Query, ttl: number): void {
  const nameEnd = query.questionEnd - 4;
  // The zone's name is the end of the question's, so a pointer into it does.
  writer.record(SECTION.AUTHORITY, nameEnd - zone.wireLength, TYPE.SOA, ttl, zone.soa);
}

function answerAny(entry: NameEntry, query: Query, writer: ResponseWriter): void {
  const empty = !entry.apex && !entry.domain && entry.addresses.length === 0;
  if (empty) negative(writer, entry.zone, query, negativeTtl(entry.zone));
  else writer.record(SECTION.ANSWER, QUESTION_NAME, TYPE.HINFO, ANY_TTL, ANY_HINFO);
}

function answerZone(view: View, zone: PreparedZone, query: Query, writer: ResponseWriter): void {
  if (query.type === TYPE.SOA) {
    writer.record(SECTION.ANSWER, QUESTION_NAME, TYPE.SOA, ZONE_TTL, zone.soa);
    return;
  }
  const written = zone.nameServers.map(({ data, key }) => {
    return { owner: writer.record(SECTION.ANSWER, QUESTION_NAME, TYPE.NS, ZONE_TTL, data), key };
  });
  for (const { owner, key } of written) {
    const addresses = view.plan.names.get(key)?.addresses ?? [];
    if (owner >= 0)
      for (const address of addresses) addressRecord(writer, SECTION.ADDITIONAL, owner, ZONE_TTL, address);
  }
}

function answerAddress(
  view: View,
  geo: GeoDatabase,
  entry: NameEntry,
  query: Query,
  source: IpAddress,
  writer: ResponseWriter,
): PreparedDomain | undefined {
  const { zone, domain } = entry;
  const family = query.type === TYPE.A ? 4 : query.type === TYPE.AAAA ? 6 : undefined;
  if (family === undefined) {
    negative(writer, zone, query, negativeTtl(zone));
    return undefined;
  }
  let addresses: readonly PreparedAddress[];
  let ttl: number;
  let emptyTtl: number;
  if (domain === undefined) {
    addresses = entry.addresses.filter((address) => address.family === family);
    ttl = entry.addressTtl;
    emptyTtl = negativeTtl(zone);
  } else {
    const client = clientOf(query.edns?.clientSubnet, source);
    const chosen = answerDomain(view, geo, domain, client.address, family);
    writer.setScope(scopeOf(client, chosen.length));
    ({ addresses, ttl } = chosen);
    emptyTtl = ttl;
  }
  if (addresses.length === 0) negative(writer, zone, query, emptyTtl);
  for (const address of addresses) addressRecord(writer, SECTION.ANSWER, QUESTION_NAME, ttl, address);
  return domain;
}

function addressRecord(
  writer: ResponseWriter,
  section: typeof SECTION.ANSWER | typeof SECTION.ADDITIONAL,
  owner: number,
  ttl: number,
  { family, bytes }: PreparedAddress,
): void {
  writer.record(section, owner, family === 4 ? TYPE.A : TYPE.AAAA, ttl, bytes);
}
