/** A certificate with its key, read from PEM: what can be told of it, or why it is of no use. Pure. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { secretDigest } from '../../contract/stream/agent-secret.ts';
import { certificateSecret } from '../../contract/stream/certificate-secret.ts';

export interface Pair {
  /** What edges get, stream/certificate-secret.ts. Never in a log, a plan or a status. */
  value: string;
  /** Of that, SHA-256 in hex. */
  digest: string;
  dnsNames: readonly string[];
  /** Milliseconds since the epoch. */
  notBefore: number;
  notAfter: number;
  serialNumber: string;
  keyType: 'ECDSA' | 'RSA';
}

export interface PairFault {
  reason: 'CertificateInvalid' | 'KeyInvalid' | 'KeyMismatch' | 'ChainInvalid';
  message: string;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MIN_RSA_BITS = 2_048;
/** More is no chain: each handshake carries all of it. */
const MAX_CHAIN = 10;

export function readPair(chainText: string, keyText: string): Pair | PairFault {
  const chain = readChain(chainText);
  if ('reason' in chain) return chain;
  const [leaf] = chain;
  const key = readKey(keyText);
  if ('reason' in key) return key;
  if (!leaf.checkPrivateKey(key)) return fault('KeyMismatch', 'the key is not the one of the certificate');
  return keyFault(key) ?? chainFault(chain) ?? pairOf(chain, leaf, key);
}

/** One that was written down: its own text. Throws when it is not one of ours. */
export function pairOfValue(value: string): Pair {
  const { chain, key } = certificateSecret.parse(JSON.parse(value));
  const pair = readPair(chain, key);
  if ('reason' in pair) throw new Error(pair.message);
  return pair;
}

const fault = (reason: PairFault['reason'], message: string): PairFault => ({ reason, message });

function readChain(text: string): [X509Certificate, ...X509Certificate[]] | PairFault {
  const blocks = text.match(PEM_CERTIFICATE) ?? [];
  try {
    const [leaf, ...above] = blocks.map((block) => new X509Certificate(block));
    if (!leaf) return fault('CertificateInvalid', 'tls.crt holds no certificate in PEM');
    if (above.length >= MAX_CHAIN) return fault('ChainInvalid', `more than ${MAX_CHAIN} certificates`);
    return [leaf, ...above];
  } catch {
    // What OpenSSL says quotes none of the text, but helps nobody either.
    return fault('CertificateInvalid', 'tls.crt is damaged: a certificate in it cannot be read');
  }
}

function readKey(text: string): KeyObject | PairFault {
  if (/ENCRYPTED/.test(text)) return fault('KeyInvalid', 'the key in tls.key is encrypted by a passphrase');
  try {
    return createPrivateKey(text);
  } catch {
    return fault('KeyInvalid', 'tls.key holds no private key in PEM');
  }
}

function keyFault({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): PairFault | undefined {
  if (type === 'ec') return undefined;
  if (type !== 'rsa') return fault('KeyInvalid', `a key of type ${type}: browsers speak ECDSA and RSA alone`);
  const bits = details?.modulusLength ?? 0;
  return bits < MIN_RSA_BITS
    ? fault('KeyInvalid', `an RSA key of ${bits} bits, at least ${MIN_RSA_BITS}`)
    : undefined;
}

/** Each certificate is signed by the one behind it (RFC 8446 4.4.2 lets them lie about; old clients do not). */
function chainFault(chain: readonly X509Certificate[]): PairFault | undefined {
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1];
    if (issuer && !(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)))
      return fault(
        'ChainInvalid',
        `certificate ${index + 1} of tls.crt is not signed by the one behind it: leaf first, then its issuer, and so on`,
      );
  }
  return undefined;
}

/** OpenSSL's own level of security: an edge would hear of it at the handshake of a client. */
function strengthFault({ chain, key }: { chain: string; key: string }): PairFault | undefined {
  try {
    createSecureContext({ cert: chain, key, ca: chain });
    return undefined;
  } catch (error) {
    const reason = error instanceof Error && 'reason' in error ? String(error.reason) : 'it gives no reason';
    return fault('CertificateInvalid', `OpenSSL serves nobody with it: ${reason}`);
  }
}

function pairOf(chain: readonly X509Certificate[], leaf: X509Certificate, key: KeyObject): Pair | PairFault {
  if (leaf.ca) return fault('CertificateInvalid', 'the first certificate of tls.crt is that of a CA');
  const texts = {
    chain: chain.map((certificate) => certificate.toString()).join(''),
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
  const weakness = strengthFault(texts);
  if (weakness) return weakness;
  const value = JSON.stringify(texts);
  return {
    value,
    digest: secretDigest(value),
    dnsNames: dnsNamesOf(leaf),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
    serialNumber: leaf.serialNumber.toLowerCase(),
    keyType: key.asymmetricKeyType === 'ec' ? 'ECDSA' : 'RSA',
  };
}

/** The subject's common name counts for no client any more (RFC 9525 2). */
const dnsNamesOf = ({ subjectAltName = '' }: X509Certificate): string[] =>
  subjectAltName
    .split(', ')
    .flatMap((name) => (name.startsWith('DNS:') ? [name.slice(4).toLowerCase()] : []));

/** Whether a certificate with these names is one for the hostname; `*` is one whole label, the leftmost (RFC 9525 6.3). */
export function covers(dnsNames: readonly string[], hostname: string): boolean {
  return dnsNames.includes(hostname) || dnsNames.includes(hostname.replace(/^[^.]+\./, '*.'));
}
