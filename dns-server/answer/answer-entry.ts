/** What is said of a name that exists: the set of the type that was asked for, a domain's addresses, or that there is none. */
import { nsecAt } from '../dnssec/denial.ts';
import type { Family, PreparedAddress } from '../plan/prepared-address.ts';
import type { NameEntry, PreparedDomain } from '../plan/prepared-plan.ts';
import type { RecordSet } from '../plan/record-sets.ts';
import { negativeTtl } from '../plan/zone.ts';
import { TYPE } from '../wire/constants.ts';
import { SECTION } from '../wire/response.ts';
import { writeHosts } from './additional.ts';
import { answerDomain, type DomainAnswer } from './answer-domain.ts';
import { clientOf, scopeOf } from './client.ts';
import { type Asked, type Place, writeNoData, writeSet } from './sections.ts';

/** Says what was chosen, if it is a domain's name and its addresses were asked for. */
export function answerEntry(asked: Asked, at: Place, entry: NameEntry): DomainAnswer | undefined {
  const { type } = asked.query;
  if (entry.domain && type === TYPE.A) return answerAddresses(asked, at, entry, entry.domain, 4);
  if (entry.domain && type === TYPE.AAAA) return answerAddresses(asked, at, entry, entry.domain, 6);
  const set = setAt(asked, entry, type);
  if (set) {
    const starts = writeSet(asked, SECTION.ANSWER, at, set);
    if (starts) writeHosts(asked, set, starts);
  } else if (asked.signer && (type === TYPE.NSEC || type === TYPE.RRSIG)) writeOwnProof(asked, at, entry);
  else writeNoData(asked, at, entry);
  return undefined;
}

/** RFC 8482 4.2: the CPU field says why there is no more. */
const ANY: RecordSet = { type: TYPE.HINFO, ttl: 3_600, data: [Buffer.from('\x07RFC8482\x00', 'latin1')] };

function setAt({ keySets }: Asked, { sets, domain, apex }: NameEntry, type: number): RecordSet | undefined {
  if (type === TYPE.ANY) return domain || sets.size > 0 ? ANY : undefined;
  return sets.get(type) ?? (apex ? keySets?.get(type) : undefined);
}

/** NSEC as an answer, with its signature; for RRSIG that signature alone: one of all will do (RFC 8482 7). */
function writeOwnProof(asked: Asked, at: Place, entry: NameEntry): void {
  const { signer, writer, query, now } = asked;
  if (signer === undefined) return;
  const proof = nsecAt(at.key, entry, signer, query.type, negativeTtl(asked.zone));
  if (query.type === TYPE.NSEC) return void writeSet(asked, SECTION.ANSWER, at, proof);
  for (const signature of signer.signatures(at.key, proof, now)) {
    writer.record(SECTION.ANSWER, at.owner, TYPE.RRSIG, proof.ttl, signature);
  }
}

function answerAddresses(
  asked: Asked,
  at: Place,
  entry: NameEntry,
  domain: PreparedDomain,
  family: Family,
): DomainAnswer {
  const { view, geo, query, source, writer } = asked;
  const client = clientOf(query.edns?.clientSubnet, source);
  const answer = answerDomain(view, geo, domain, client.address, family);
  const { addresses, ttl, length } = answer;
  writer.setScope(scopeOf(client, length));
  // The name may lie in another zone than the domain's target: its SOA tells for how long (RFC 2308 3).
  if (addresses.length === 0) writeNoData(asked, at, entry, Math.min(ttl, negativeTtl(asked.zone)));
  else
    writeSet(asked, SECTION.ANSWER, at, addressSet(addresses, family, Math.max(ttl, domain.spec.ttl)), ttl);
  return answer;
}

/** Signed with the domain's own TTL: one that was lowered for the moment needs no signature of its own. */
function addressSet(addresses: readonly PreparedAddress[], family: Family, ttl: number): RecordSet {
  return { type: family === 4 ? TYPE.A : TYPE.AAAA, ttl, data: addresses.map(({ bytes }) => bytes) };
}
