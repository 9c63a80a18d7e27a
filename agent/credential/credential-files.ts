/**
 * A credential on disk, readable by its owner only: `credential.pem` has the private key and its certificate, in one
 * file, since one without the other is worth nothing; `ca.pem` has the CAs.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import { type Credential, checkCredential } from './credential.ts';

const PRIVATE = 0o600;
const KEY = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/;

export const credentialFiles = (folder: string) => ({
  credential: join(folder, 'credential.pem'),
  bundle: join(folder, 'ca.pem'),
});

/** Nothing when there is none; throws for one that does not hold. */
export async function readCredential(folder: string): Promise<Credential | undefined> {
  const files = credentialFiles(folder);
  const [text, bundle] = [await readFileIfThere(files.credential), await readFileIfThere(files.bundle)];
  if (text === undefined || bundle === undefined) return undefined;
  const [key = ''] = KEY.exec(text) ?? [];
  const credential = checkCredential({ key, certificate: text.replace(KEY, ''), bundle });
  if (!new X509Certificate(credential.certificate).checkPrivateKey(createPrivateKey(key))) {
    throw new Error(`${files.credential}: the key is not the certificate’s`);
  }
  return credential;
}

/** Durable when it resolves. The CAs first: a crash in between leaves the older certificate and CAs that know it. */
export async function writeCredential(
  folder: string,
  { key, certificate, bundle }: Credential,
): Promise<void> {
  const files = credentialFiles(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFileAtomic(files.bundle, bundle, PRIVATE);
  await writeFileAtomic(files.credential, `${key}${certificate}`, PRIVATE);
}
