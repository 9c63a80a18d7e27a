/** Keys and requests for certificates. X.509 is loaded when the first one is wanted. */
import { createPrivateKey, generateKeyPair, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import type { AcmeSpec } from '../../contract/kinds/certificate.ts';

const generate = promisify(generateKeyPair);

/** PKCS #8, PEM. */
export async function makeKey(type: AcmeSpec['keyType']): Promise<string> {
  const { privateKey } =
    type === 'RSA'
      ? await generate('rsa', { modulusLength: 2_048 })
      : await generate('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** DER. The names are in the extension alone: no client looks at the subject any more. */
export async function makeRequest(pem: string, hostnames: readonly string[]): Promise<Buffer> {
  const { ECDSA_P256, Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } = await import(
    '../../lib/x509.ts'
  );
  const key = createPrivateKey(pem);
  const algorithm =
    key.asymmetricKeyType === 'rsa' ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } : ECDSA_P256;
  const { subtle } = webcrypto;
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const privateKey = await subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
  const { createPublicKey } = await import('node:crypto');
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const publicKey = await subtle.importKey('spki', spki, algorithm, true, ['verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys: { privateKey, publicKey },
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension(hostnames.map((value) => ({ type: 'dns', value })))],
  });
  return Buffer.from(request.rawData);
}
