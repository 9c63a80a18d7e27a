/**
 * Whether a certificate lets an agent in. Pure: a list of small checks, the first that objects decides.
 *
 * The certificate is read once for each connection, and judged at every request: it may have expired or been denied
 * since. TLS has proved that the agent has the key.
 */
import type { X509Certificate } from 'node:crypto';
import type { RefusalReason } from '../../contract/stream/join.ts';
import { caDigest } from '../../contract/trust/bundle.ts';
import { type CertifiedIdentity, parseIdentityUri } from '../../contract/trust/identity.ts';

/** The extended key usage of certificates that clients show (RFC 5280, 4.2.1.12). */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

export interface ShownCertificate {
  /** In hex, capital letters. */
  serial: string;
  notBefore: number;
  notAfter: number;
  /** Digest of the CA that signed it, if that is one of ours. */
  signedBy: string | undefined;
  identity: CertifiedIdentity | undefined;
}

/** One of both. */
export interface Denial {
  agent?: { role: string; node: string } | undefined;
  serial?: string | undefined;
}

export interface Judging {
  now: number;
  /** Digests of the CAs that are trusted now. */
  trusted: ReadonlySet<string>;
  denied: readonly Denial[];
  /** Of the EdgeNode that has the name now; nothing where there is none. */
  incarnation: (node: string) => string | undefined;
}

export function readCertificate(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
): ShownCertificate {
  const issuer = authorities.find((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
  const isAgent = !certificate.ca && certificate.keyUsage?.includes(CLIENT_AUTH) === true;
  return {
    serial: certificate.serialNumber,
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    signedBy: issuer && caDigest(issuer),
    identity: isAgent ? identityIn(certificate) : undefined,
  };
}

/** Node.js quotes what could be taken for two names; ours never need that. */
function identityIn({ subjectAltName = '' }: X509Certificate): CertifiedIdentity | undefined {
  return subjectAltName.startsWith('URI:') ? parseIdentityUri(subjectAltName.slice(4)) : undefined;
}

type Check = (shown: ShownCertificate, judging: Judging) => boolean;

/** Named by what is wrong. */
const CHECKS: readonly (readonly [RefusalReason, Check])[] = [
  ['UnknownCa', ({ signedBy }, { trusted }) => signedBy === undefined || !trusted.has(signedBy)],
  ['NotAnAgent', ({ identity }) => identity === undefined],
  ['NotYetValid', ({ notBefore }, { now }) => now < notBefore],
  ['Expired', ({ notAfter }, { now }) => now >= notAfter],
  ['Denied', (shown, { denied }) => denied.some((denial) => isMeant(denial, shown))],
  ['NodeRemade', ({ identity }, { incarnation }) => isRemade(identity, incarnation)],
];

/** The reason against it, if there is one. */
export function judge(shown: ShownCertificate, judging: Judging): RefusalReason | undefined {
  return CHECKS.find(([, objects]) => objects(shown, judging))?.[0];
}

function isMeant({ agent, serial }: Denial, shown: ShownCertificate): boolean {
  if (serial !== undefined) return serial.replaceAll(':', '').toUpperCase() === shown.serial;
  const { identity } = shown;
  return agent !== undefined && agent.role === identity?.role && agent.node === identity.node;
}

/** An EdgeNode that is not there at all is told apart, by who knows the manifests. */
function isRemade(identity: CertifiedIdentity | undefined, incarnation: Judging['incarnation']): boolean {
  if (identity?.role !== 'edge') return false;
  const now = incarnation(identity.node);
  return now !== undefined && now !== identity.incarnation;
}
