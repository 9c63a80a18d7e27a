/** The certificate of the encrypted listeners, from files that are read again when they change: renewals need no restart. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';

export interface CertificateFiles {
  /** Certificate and its chain, PEM. */
  certificate: string;
  /** Private key, PEM. */
  key: string;
}

export interface CertificatePair {
  cert: string;
  key: string;
}

export interface Certificate {
  current(): CertificatePair;
  /** Calls back with each newer one; returns a function that ends it. */
  follow(use: (pair: CertificatePair) => void): () => void;
  stop(): void;
}

const POLL_MS = 10_000;

/** Throws when the files cannot be read or do not fit each other. */
export async function followCertificate(
  files: CertificateFiles,
  clock: Clock,
  log: Log,
): Promise<Certificate> {
  let pair = await readPair(files);
  const users = new Set<(pair: CertificatePair) => void>();
  const look = latest<void>(async () => {
    try {
      const next = await readPair(files);
      if (next.cert === pair.cert && next.key === pair.key) return;
      pair = next;
      for (const use of users) use(pair);
      log.info(files, 'a new certificate is in use');
    } catch (error) {
      // Half of a renewal: certificate and key are two files. The pair before serves on.
      log.warn({ err: error, ...files }, 'the certificate cannot be used; the one before is');
    }
  });
  const stop = clock.every(POLL_MS, () => look.offer());
  return {
    current: () => pair,
    follow: (use) => {
      users.add(use);
      return () => users.delete(use);
    },
    stop,
  };
}

async function readPair({ certificate, key }: CertificateFiles): Promise<CertificatePair> {
  const [certText, keyText] = await Promise.all([readFile(certificate, 'utf8'), readFile(key, 'utf8')]);
  const pair = { cert: certText, key: keyText };
  createSecureContext(pair);
  return pair;
}
