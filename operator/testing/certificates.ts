/** For tests: a CA and what it issues, with openssl out of the way. */
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ECDSA_P256,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '../../lib/x509.ts';

const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2_048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

export interface TestPair {
  'tls.crt': string;
  'tls.key': string;
}

interface Wish {
  names: string[];
  notBefore?: string;
  notAfter?: string;
  rsa?: boolean;
  /** By a CA whose key is too short. */
  weakIssuer?: boolean;
}

const BEGIN = '2026-01-01T00:00:00Z';
const END = '2027-06-01T00:00:00Z';

/** A root, one below it that issues, and how to be issued by that. */
export async function testCa() {
  const [rootKeys, keys] = [await makeKeys(ECDSA_P256), await makeKeys(ECDSA_P256)];
  const dates = { notBefore: new Date(BEGIN), notAfter: new Date('2036-01-01T00:00:00Z') };
  const ca = [new BasicConstraintsExtension(true, undefined, true)];
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=test root',
    keys: rootKeys,
    signingAlgorithm: ECDSA_P256,
    extensions: ca,
    ...dates,
  });
  const middle = await X509CertificateGenerator.create({
    serialNumber: '02',
    subject: 'CN=test issuer',
    issuer: root.subject,
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: ECDSA_P256,
    extensions: ca,
    ...dates,
  });
  const weakKeys = await makeKeys({ ...RSA, modulusLength: 1_024 });
  const weak = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '03',
    name: 'CN=test issuer of old',
    keys: weakKeys,
    signingAlgorithm: RSA,
    extensions: ca,
    ...dates,
  });
  let serial = 0x10;
  return {
    root: root.toString('pem'),
    middle: middle.toString('pem'),
    async issue({
      names,
      notBefore = BEGIN,
      notAfter = END,
      rsa = false,
      weakIssuer = false,
    }: Wish): Promise<TestPair> {
      const issuer = weakIssuer ? weak : middle;
      const own = await makeKeys(rsa ? RSA : ECDSA_P256);
      const leaf = await X509CertificateGenerator.create({
        serialNumber: (serial++).toString(16),
        subject: `CN=${names[0]}`,
        issuer: issuer.subject,
        publicKey: own.publicKey,
        signingKey: (weakIssuer ? weakKeys : keys).privateKey,
        signingAlgorithm: weakIssuer ? RSA : ECDSA_P256,
        notBefore: new Date(notBefore),
        notAfter: new Date(notAfter),
        extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
      });
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64');
      const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`;
      return { 'tls.crt': `${leaf.toString('pem')}\n${issuer.toString('pem')}\n`, 'tls.key': key };
    },
  };
}

type Keys = { publicKey: webcrypto.CryptoKey; privateKey: webcrypto.CryptoKey };

const makeKeys = (algorithm: typeof ECDSA_P256 | typeof RSA): Promise<Keys> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<Keys>;
