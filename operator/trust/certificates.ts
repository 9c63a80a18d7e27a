/** Makes keys and certificates: CAs, the operator's own for its port, and those of agents. Chance enters only here. */
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { type CertifiedIdentity, identityUri } from '../../contract/trust/identity.ts';
import * as x509 from '../../lib/x509.ts';
import { type Authority, CA_LIFETIME_MS } from './ca.ts';

/** Clocks of two machines differ; a certificate must not be of the future for one of them. */
const CLOCK_SKEW_MS = 5 * 60_000;

const { ECDSA_P256 } = x509;

export interface Validity {
  now: number;
  lifetimeMs: number;
}

export async function makeAuthority(now: number): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
  const notAfter = now + CA_LIFETIME_MS;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    // Two CAs of one installation must differ by name: OpenSSL finds an issuer by that.
    name: `O=Weir, CN=Weir CA ${new Date(now).toISOString()}`,
    notBefore: new Date(now - CLOCK_SKEW_MS),
    notAfter: new Date(notAfter),
    keys,
    signingAlgorithm: ECDSA_P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: await exportKey(keys.privateKey), notAfter };
}

/** Throws when it is no request, or not signed by the key that it is for. */
export async function readRequest(csr: string): Promise<webcrypto.CryptoKey> {
  const request = new x509.Pkcs10CertificateRequest(csr);
  if (!(await request.verify())) throw new Error('the request is not signed by its own key');
  const key = await request.publicKey.export();
  if (!('namedCurve' in key.algorithm) || key.algorithm.namedCurve !== ECDSA_P256.namedCurve) {
    throw new Error('the key has to be of ECDSA on P-256');
  }
  return key;
}

export function issueToAgent(
  authority: Authority,
  publicKey: webcrypto.CryptoKey,
  identity: CertifiedIdentity,
  validity: Validity,
): Promise<string> {
  return issue(authority, publicKey, validity, `${identity.role} ${identity.node}`, [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    new x509.SubjectAlternativeNameExtension([{ type: 'url', value: identityUri(identity) }]),
  ]);
}

export interface KeyAndCertificate {
  key: string;
  certificate: string;
}

export async function issueToServer(
  authority: Authority,
  names: readonly string[],
  validity: Validity,
): Promise<KeyAndCertificate> {
  const keys = await webcrypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
  const certificate = await issue(authority, keys.publicKey, validity, 'Weir operator', [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
    ),
  ]);
  return { key: await exportKey(keys.privateKey), certificate };
}

async function issue(
  authority: Authority,
  publicKey: webcrypto.CryptoKey,
  { now, lifetimeMs }: Validity,
  name: string,
  extensions: x509.Extension[],
): Promise<string> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    issuer: issuer.subject,
    subject: `O=Weir, CN=${name}`,
    notBefore: new Date(now - CLOCK_SKEW_MS),
    // One that outlives its CA would be refused before its time.
    notAfter: new Date(Math.min(now + lifetimeMs, authority.notAfter)),
    publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: ECDSA_P256,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...extensions,
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** 127 bits, as RFC 5280 (4.1.2.2) wants them positive and at most 20 bytes. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f || 1;
  return bytes.toString('hex');
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, ECDSA_P256, false, ['sign']);
}
