/**
 * What is said of one name, written into the response. The checks in their order:
 *
 *     plan ─> class ─> zone ─> transfer ─> name ─> type
 */
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { zoneOf } from '../plan/names.ts';
import type { Family, PreparedAddress } from '../plan/prepared-address.ts';
import type { NameEntry, PreparedDomain, PreparedZone } from '../plan/prepared-plan.ts';
import { negativeTtl, ZONE_TTL } from '../plan/zone.ts';
import { CLASS_IN, EXTENDED_ERROR, RCODE, TYPE } from '../wire/constants.ts';
import type { Query } from '../wire/query.ts';
import { QUESTION_NAME, type ResponseWriter, SECTION, type Section } from '../wire/response.ts';
import { answerDomain } from './answer-domain.ts';
import { clientOf, scopeOf } from './client.ts';
import type { View } from './view.ts';

export interface Asked {
  geo: GeoDatabase;
  query: Query;
  /** Where the query came from. */
  source: IpAddress;
  writer: ResponseWriter;
}

/** RFC 8482 4.2: the CPU field says why there is no more. */
const ANY_HINFO = Buffer.from('\x07RFC8482\x00', 'latin1');
const ANY_TTL = 3_600;

/** Says which domain's addresses were asked for, if it was one's. */
export function answerName(asked: Asked, view: View | undefined): PreparedDomain | undefined {
  const { query, writer } = asked;
  if (view === undefined) return refuse(writer, EXTENDED_ERROR.NOT_READY);
  if (query.class !== CLASS_IN) return refuse(writer);
  const { names, zones } = view.plan;
  const entry = names.get(query.key);
  const zone = entry?.zone ?? zoneOf(zones, query.key);
  if (zone === undefined) return refuse(writer, EXTENDED_ERROR.NOT_AUTHORITATIVE);
  // Nobody transfers a zone whose answers depend on who asks.
  if (query.type === TYPE.AXFR || query.type === TYPE.IXFR) return refuse(writer);
  writer.setAuthoritative();
  // Most answers are the same for everybody; those of a domain say otherwise.
  writer.setScope(0);
  if (entry) return answerEntry(asked, view, entry);
  writer.setRcode(RCODE.NXDOMAIN);
  return negative(asked, zone, negativeTtl(zone));
}

function refuse(writer: ResponseWriter, extendedError?: number): undefined {
  writer.setRcode(RCODE.REFUSED, extendedError);
}

function answerEntry(asked: Asked, view: View, entry: NameEntry): PreparedDomain | undefined {
  const { type } = asked.query;
  if (type === TYPE.ANY) return answerAny(asked, entry);
  if (type === TYPE.SOA && entry.apex) return answerSoa(asked, entry.zone);
  if (type === TYPE.NS && entry.apex) return answerNameServers(asked, view, entry.zone);
  if (type === TYPE.A) return answerAddresses(asked, view, entry, 4);
  if (type === TYPE.AAAA) return answerAddresses(asked, view, entry, 6);
  return negative(asked, entry.zone, negativeTtl(entry.zone));
}

/** NXDOMAIN and NODATA: the zone's SOA tells for how long (RFC 2308 2.1 and 2.2). */
function negative({ query, writer }: Asked, zone: PreparedZone, ttl: number): undefined {
  // The zone's name is the end of the question's, so that a pointer into it is enough.
  const owner = query.nameEnd - zone.wireLength;
  writer.record(SECTION.AUTHORITY, owner, TYPE.SOA, ttl, zone.soa);
}

function answerAny(asked: Asked, { apex, domain, addresses, zone }: NameEntry): undefined {
  if (!apex && !domain && addresses.length === 0) return negative(asked, zone, negativeTtl(zone));
  asked.writer.record(SECTION.ANSWER, QUESTION_NAME, TYPE.HINFO, ANY_TTL, ANY_HINFO);
}

function answerSoa({ writer }: Asked, { soa }: PreparedZone): undefined {
  writer.record(SECTION.ANSWER, QUESTION_NAME, TYPE.SOA, ZONE_TTL, soa);
}

function answerNameServers({ writer }: Asked, { plan }: View, { nameServers }: PreparedZone): undefined {
  const written = nameServers.map(({ data, key }) => {
    return { owner: writer.record(SECTION.ANSWER, QUESTION_NAME, TYPE.NS, ZONE_TTL, data), key };
  });
  for (const { owner, key } of written) {
    if (owner === undefined) return;
    const { addresses = [], addressTtl = 0 } = plan.names.get(key) ?? {};
    for (const address of addresses) addressRecord(writer, SECTION.ADDITIONAL, owner, addressTtl, address);
  }
}

function answerAddresses(
  asked: Asked,
  view: View,
  entry: NameEntry,
  family: Family,
): PreparedDomain | undefined {
  const { writer } = asked;
  const { zone, domain } = entry;
  const { addresses, ttl } = domain
    ? chosenAddresses(asked, view, domain, family)
    : fixedAddresses(entry, family);
  if (addresses.length === 0) negative(asked, zone, ttl);
  for (const address of addresses) addressRecord(writer, SECTION.ANSWER, QUESTION_NAME, ttl, address);
  return domain;
}

interface Addresses {
  addresses: readonly PreparedAddress[];
  /** Of the negative answer, when there are none. */
  ttl: number;
}

function chosenAddresses(
  { geo, query, source, writer }: Asked,
  view: View,
  domain: PreparedDomain,
  family: Family,
): Addresses {
  const client = clientOf(query.edns?.clientSubnet, source);
  const answer = answerDomain(view, geo, domain, client.address, family);
  writer.setScope(scopeOf(client, answer.length));
  return answer;
}

function fixedAddresses({ addresses, addressTtl, zone }: NameEntry, family: Family): Addresses {
  const ofFamily = addresses.filter((address) => address.family === family);
  return { addresses: ofFamily, ttl: ofFamily.length > 0 ? addressTtl : negativeTtl(zone) };
}

function addressRecord(
  writer: ResponseWriter,
  section: Section,
  owner: number,
  ttl: number,
  { family, bytes }: PreparedAddress,
): void {
  writer.record(section, owner, family === 4 ? TYPE.A : TYPE.AAAA, ttl, bytes);
}
