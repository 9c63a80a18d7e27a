/**
 * Which certificate is in force for whom. Pure.
 *
 *     Certificate, or the Secret that a CdnDomain names ─> holder ─> what is offered: judged ─> in force
 *                                                                     └─ refused: the one before stays
 *
 * What is in force lies in the vault, so that neither a Secret that was spoilt or deleted nor a new leader takes it away.
 */
import type { CdnDomain, Certificate } from '../../contract/kinds/kinds.ts';
import { certificateSecretName } from '../../contract/stream/certificate-secret.ts';
import { hostnamesOf } from '../admit/hostnames.ts';
import type { FindSecret } from '../source/secrets.ts';
import { covers, type Pair, type PairFault, readPair } from './pair.ts';

export interface Judgement {
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
}

export interface Holding {
  /** Names it in plans and on the stream. */
  secret: string;
  inForce: Pair | undefined;
  /** Of what is offered now. */
  offered: Judgement;
  /** Of one that is ordered. */
  ordered?: Ordered;
}

/** What goes into plans for ACME servers to see. Both sorted. */
export interface Challenges {
  /** Names in zones of ours. */
  txt: readonly { name: string; value: string }[];
  http: readonly { hostname: string; token: string; keyAuthorization: string }[];
}
export const NO_CHALLENGES: Challenges = { txt: [], http: [] };

/** How the order of a Certificate fares. */
export interface Ordered {
  judgement: Judgement;
  /** Milliseconds since the epoch. */
  renewalTime?: number | undefined;
  acmeTarget?: string | undefined;
  /** Of the copy that the Certificate wants kept. */
  copyFault?: { reason: string; message: string } | undefined;
}

/** By holder: `Certificate/demo/video`, `Secret/demo/video-tls`. */
export type Holdings = ReadonlyMap<string, Holding>;
export const NO_HOLDINGS: Holdings = new Map();

/** Pairs by holder. */
export type Kept = ReadonlyMap<string, Pair>;

export interface Offers {
  domains: readonly { resource: CdnDomain; file: string }[];
  certificates: readonly { resource: Certificate; file: string }[];
  find: FindSecret;
  /** By `namespace/name` of a Certificate with `acme`: how its order fares, for who has nothing else to go by. */
  ordered: ReadonlyMap<string, Ordered>;
}

/** Holders of the certificates that a domain is served with; none without `tls`. */
function holdersOf({ metadata: { namespace }, spec: { tls } }: CdnDomain): string[] {
  if (tls?.secretRef) return [secretHolder(namespace, tls.secretRef.name)];
  const refs = tls?.certificateRefs ?? (tls?.certificateRef ? [tls.certificateRef] : []);
  return refs.map(({ name }) => certificateHolder(namespace, name));
}

export const certificateHolder = (namespace: string, name: string) => `Certificate/${namespace}/${name}`;
const secretHolder = (namespace: string, name: string) => `Secret/${namespace}/${name}`;

/** `now` in milliseconds since the epoch. */
export function settle(kept: Kept, offers: Offers, now: number): Holdings {
  const users = new Map<string, (typeof offers.domains)[number][]>();
  for (const user of offers.domains)
    for (const holder of holdersOf(user.resource)) users.set(holder, [...(users.get(holder) ?? []), user]);
  const served = (holder: string) =>
    (users.get(holder) ?? []).flatMap(({ resource }) => hostnamesOf(resource));
  const rows = new Map<string, Holding>();
  for (const { resource, file } of offers.certificates) {
    const { namespace, name } = resource.metadata;
    const { secretRef, hostnames } = resource.spec;
    const holder = certificateHolder(namespace, name);
    const before = kept.get(holder);
    if (!secretRef) {
      const ordered = offers.ordered.get(`${namespace}/${name}`);
      const offered = ordered?.judgement ?? (before ? good(before) : NOT_ORDERED);
      const secret = certificateSecretName(holder);
      rows.set(holder, { secret, inForce: before, offered, ...(ordered && { ordered }) });
      continue;
    }
    const wanted = { hostnames, served: served(holder) };
    rows.set(holder, holding(holder, before, offers.find(namespace, secretRef.name, file), wanted, now));
  }
  for (const [holder, [user]] of users) {
    const name = user?.resource.spec.tls?.secretRef?.name;
    if (!user || name === undefined) continue;
    const found = offers.find(user.resource.metadata.namespace, name, user.file);
    rows.set(
      holder,
      holding(holder, kept.get(holder), found, { hostnames: [], served: served(holder) }, now),
    );
  }
  return rows;
}

const NOT_ORDERED: Judgement = { status: 'False', reason: 'NotOrdered', message: 'no order was begun yet' };

interface Wanted {
  /** All of them have to be in the certificate. */
  hostnames: readonly string[];
  /** Of domains: those that the certificate in force covers, the next one covers too. */
  served: readonly string[];
}

function holding(
  holder: string,
  before: Pair | undefined,
  found: ReturnType<FindSecret>,
  wanted: Wanted,
  now: number,
): Holding {
  const secret = certificateSecretName(holder);
  if ('fault' in found) {
    const status = found.fault === 'SecretPending' ? 'Unknown' : 'False';
    return refused(secret, before, { status, reason: found.fault, message: found.message }, now);
  }
  const pair = readOnce(found.data, before);
  if ('reason' in pair) return refused(secret, before, { status: 'False', ...pair }, now);
  const objection = objectionTo(pair, before, wanted, now);
  if (objection) return refused(secret, before, objection, now);
  return { secret, inForce: pair, offered: good(pair) };
}

/** Reading costs a signature or two: a Secret that stays is read once, and stays the very same pair. */
function readOnce(data: Readonly<Record<string, string>>, before: Pair | undefined): Pair | PairFault {
  const known = read.get(data);
  if (known) return known;
  const { 'tls.crt': chain = '', 'tls.key': key = '' } = data;
  const fresh = readPair(chain, key);
  const pair = 'digest' in fresh && fresh.digest === before?.digest ? before : fresh;
  read.set(data, pair);
  return pair;
}
const read = new WeakMap<object, Pair | PairFault>();

/** Why a pair that is one is not taken. */
export function objectionTo(
  pair: Pair,
  before: Pair | undefined,
  { hostnames, served }: Wanted,
  now: number,
): Judgement | undefined {
  const no = (reason: string, message: string): Judgement => ({ status: 'False', reason, message });
  if (now >= pair.notAfter) return no('Expired', `it ended ${dateOf(pair.notAfter)}`);
  if (now < pair.notBefore) return no('NotYetValid', `it begins ${dateOf(pair.notBefore)}`);
  const needed = [...hostnames, ...served.filter((name) => before && covers(before.dnsNames, name))];
  const missing = needed.filter((name) => !covers(pair.dnsNames, name));
  if (missing.length === 0) return undefined;
  return no('HostnameMismatch', `it is not for ${list(missing)}, but for ${list(pair.dnsNames)}`);
}

export const dateOf = (ms: number) => new Date(ms).toISOString();

export const good = ({ notAfter }: Pair): Judgement => ({
  status: 'True',
  reason: 'Issued',
  message: `in force until ${dateOf(notAfter)}`,
});

function refused(secret: string, inForce: Pair | undefined, offered: Judgement, now: number): Holding {
  if (!inForce) return { secret, inForce, offered };
  const until = now >= inForce.notAfter ? 'which ended' : 'which ends';
  const rest = `; the last good certificate stays in force, ${until} ${dateOf(inForce.notAfter)}`;
  return { secret, inForce, offered: { ...offered, message: `${offered.message}${rest}` } };
}

const SHOWN = 5;

export function list(names: readonly string[]): string {
  const rest = names.length - SHOWN;
  if (names.length === 0) return 'no name';
  return rest > 0 ? `${names.slice(0, SHOWN).join(', ')} and ${rest} more` : names.join(', ');
}

export interface Served {
  secret: string;
  pair: Pair;
}

/**
 * What a domain is served with: certificates that are in force and cover all of its hostnames, whatever the date. The first
 * of each type of key, sorted by name.
 */
export function servedWith(domain: CdnDomain, holdings: Holdings): Served[] {
  const rows = new Map<Pair['keyType'], Served>();
  for (const holder of holdersOf(domain)) {
    const { secret, inForce: pair } = holdings.get(holder) ?? {};
    if (secret === undefined || !pair || missingIn(pair, domain).length > 0) continue;
    if (!rows.has(pair.keyType)) rows.set(pair.keyType, { secret, pair });
  }
  return [...rows.values()].sort((a, b) => (a.secret < b.secret ? -1 : 1));
}

const missingIn = ({ dnsNames }: Pair, domain: CdnDomain) =>
  hostnamesOf(domain).filter((name) => !covers(dnsNames, name));

/** How a domain fares with its certificates: the first that something is wrong with. */
export function judgeDomain(domain: CdnDomain, holdings: Holdings, now: number): Judgement {
  const holders = holdersOf(domain);
  const judged = holders.map((holder) => judgeHolder(holder, domain, holdings, now));
  const [first] = judged;
  if (!first) return { status: 'True', reason: 'NoTls', message: 'served without TLS' };
  const wrong = judged.find(({ status }) => status !== 'True');
  if (wrong) return wrong;
  const types = holders.map((holder) => holdings.get(holder)?.inForce?.keyType);
  if (new Set(types).size === types.length) return first;
  const message = `both certificates have a key of type ${types[0]}: the first is served`;
  return { status: 'False', reason: 'SameKeyType', message };
}

function judgeHolder(holder: string, domain: CdnDomain, holdings: Holdings, now: number): Judgement {
  const no = (reason: string, message: string): Judgement => ({ status: 'False', reason, message });
  const found = holdings.get(holder);
  if (!found) return no('CertificateNotFound', `there is no accepted ${holder.replace('/', ' ')}`);
  const { inForce, offered } = found;
  if (!inForce) return offered;
  const missing = missingIn(inForce, domain);
  if (missing.length > 0) {
    const names = `${list(missing)}, but for ${list(inForce.dnsNames)}`;
    return no('HostnameMismatch', `the certificate is not for ${names}; HTTPS is not served`);
  }
  return judgeDate(inForce, offered, now);
}

/** What was in order when it was taken comes to its end all the same. */
export function judgeDate(inForce: Pair, offered: Judgement, now: number): Judgement {
  if (now < inForce.notAfter || offered.status !== 'True') return offered;
  const message = `it ended ${dateOf(inForce.notAfter)}, and is served on: clients refuse it`;
  return { status: 'False', reason: 'Expired', message };
}
