/** Certificates for tests: a CA of the test file, and what it issued, as secrets. */
import { createHash, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { EdgeTls } from '../../contract/plans/edge-plan.ts';
import { certificateSecretName } from '../../contract/stream/certificate-secret.ts';
import {
  BasicConstraintsExtension,
  ECDSA_P256,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '../../lib/x509.ts';

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

export interface TestCertificate {
  /** Of the secret that it comes in. */
  name: string;
  value: string;
  digest: string;
  chain: string;
  key: string;
}

export interface TestCa {
  /** PEM. */
  ca: string;
  issue(name: string, hostnames: readonly string[], keyType?: KeyType): Promise<TestCertificate>;
}

/** Of 1,024 bits: OpenSSL serves nobody with it. */
type KeyType = 'EC' | 'RSA' | 'shortRSA';

async function keyPair(type: KeyType) {
  const algorithm = type === 'EC' ? ECDSA_P256 : RSA;
  const { privateKey, publicKey } =
    type === 'EC'
      ? await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
      : await promisify(generateKeyPair)('rsa', { modulusLength: type === 'RSA' ? 2_048 : 1_024 });
  return {
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    privateKey: privateKey.toCryptoKey(algorithm, true, ['sign']),
    publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']),
  };
}

export async function testCa(): Promise<TestCa> {
  const keys = await keyPair('EC');
  const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + 30 * DAY_MS) };
  const root = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=a CA of tests',
    keys,
    ...validity,
    signingAlgorithm: ECDSA_P256,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  let serial = 1;
  return {
    ca: root.toString('pem'),
    async issue(name, hostnames, keyType = 'EC') {
      const own = await keyPair(keyType);
      const certificate = await X509CertificateGenerator.create({
        serialNumber: (++serial).toString(16).padStart(4, '0'),
        issuer: root.subject,
        subject: '',
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ECDSA_P256,
        ...validity,
        extensions: [new SubjectAlternativeNameExtension(hostnames.map((value) => ({ type: 'dns', value })))],
      });
      const chain = certificate.toString('pem');
      const value = JSON.stringify({ chain, key: own.pem });
      const digest = createHash('sha256').update(value).digest('hex');
      return { name: certificateSecretName(name), value, digest, chain, key: own.pem };
    },
  };
}

/** `tls` of a domain in the plan. */
export function tlsWith(certificates: readonly TestCertificate[], more: Partial<EdgeTls> = {}): EdgeTls {
  return {
    certificates: certificates.map(({ name, digest }) => ({ secret: name, digest })),
    redirect: false,
    minVersion: '1.2',
    ...more,
  };
}

export function secretsOf(certificates: readonly TestCertificate[]): Map<string, string> {
  return new Map(certificates.map(({ name, value }) => [name, value]));
}
