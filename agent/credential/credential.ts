/** An agent's credential as a value: what it says, when it is to be renewed, what TLS makes of it. No I/O. */
import { X509Certificate } from 'node:crypto';
import { bundleDigest, readBundle } from '../../contract/trust/bundle.ts';

/** All in PEM. */
export interface Credential {
  key: string;
  certificate: string;
  /** The CAs by which the operator is known. */
  bundle: string;
}

/** Throws when the parts do not fit one another. */
export function checkCredential(credential: Credential): Credential {
  const certificate = new X509Certificate(credential.certificate);
  if (readBundle(credential.bundle).length === 0) throw new Error('it comes without a CA');
  if (certificate.publicKey.asymmetricKeyType !== 'ec')
    throw new Error('its key is of no kind that Weir makes');
  return credential;
}

/** Milliseconds since the epoch. */
export function lifeOf({ certificate }: Credential): { from: number; until: number } {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  return { from: validFromDate.getTime(), until: validToDate.getTime() };
}

/** At two thirds of its life, and up to a tenth earlier: a fleet that joined in one hour must not renew in one. */
export function renewAt(credential: Credential, random: () => number): number {
  const { from, until } = lifeOf(credential);
  return from + (until - from) * (2 / 3 - random() / 10);
}

export const isExpired = (credential: Credential, now: number) => now >= lifeOf(credential).until;

export const digestOf = ({ bundle }: Credential) => bundleDigest(bundle);
