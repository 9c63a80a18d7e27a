/**
 * The certificates that this process holds, by the names of the secrets that they came in. Who serves asks anew for each
 * handshake, so a newer one is in force with the next; connections that are open keep the one that they began with.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { CERTIFICATE_PREFIX, certificateSecret } from '../../contract/stream/certificate-secret.ts';
import type { Log } from '../../lib/log.ts';

export interface Certificate {
  /** PEM. */
  chain: string;
  key: string;
  /** Whether it is for this host name (RFC 9110 4.3.4). */
  covers(host: string): boolean;
}

export interface CertificateChanges {
  /** Name and value. */
  changed: readonly (readonly [string, string])[];
  gone: readonly string[];
}

export class Certificates {
  readonly #log: Log;
  #values: ReadonlyMap<string, string> = new Map();
  #version = 0;
  /** Read when they are asked for: of ten thousand most are not in use. Nothing where they cannot be read. */
  readonly #read = new Map<string, Certificate | undefined>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** All that there are now, and what else came as a secret; says what that changed. */
  take(secrets: ReadonlyMap<string, string>): CertificateChanges {
    const values = new Map([...secrets].filter(([name]) => name.startsWith(CERTIFICATE_PREFIX)));
    const changes = {
      changed: [...values].filter(([name, value]) => this.#values.get(name) !== value),
      gone: [...this.#values.keys()].filter((name) => !values.has(name)),
    };
    this.apply(changes);
    return changes;
  }

  apply({ changed, gone }: CertificateChanges): void {
    const values = new Map(this.#values);
    for (const [name, value] of changed) values.set(name, value);
    for (const name of gone) values.delete(name);
    for (const name of [...gone, ...changed.map(([each]) => each)]) this.#read.delete(name);
    this.#values = values;
    this.#version += 1;
  }

  /** Another one whenever one of them may be another one. */
  get version(): number {
    return this.#version;
  }

  /** All of them, as one change from nothing. */
  all(): CertificateChanges {
    return { changed: [...this.#values], gone: [] };
  }

  /** The same object for as long as its value is the same. */
  get(name: string): Certificate | undefined {
    const value = this.#values.get(name);
    if (value === undefined) return undefined;
    if (!this.#read.has(name)) this.#read.set(name, this.#parse(name, value));
    return this.#read.get(name);
  }

  /** OpenSSL serves nobody with it: as if it were not there, until it has another value. */
  refuse(certificate: Certificate, error: unknown): void {
    for (const [name, read] of this.#read) {
      if (read !== certificate) continue;
      this.#read.set(name, undefined);
      this.#tell(name, error);
    }
  }

  #parse(name: string, value: string): Certificate | undefined {
    try {
      return readCertificate(value);
    } catch (error) {
      this.#tell(name, error);
      return undefined;
    }
  }

  #tell(name: string, error: unknown): void {
    // Not the error itself: what OpenSSL or a parser says may quote what it read.
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'not as it should be';
    this.#log.error({ secret: name, reason }, 'a certificate can not be used; its names are not served');
  }
}

function readCertificate(value: string): Certificate {
  const { chain, key } = certificateSecret.parse(JSON.parse(value));
  const leaf = new X509Certificate(chain);
  if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Error('the key is of another certificate');
  return { chain, key, covers: (host) => leaf.checkHost(host, COVERING) !== undefined };
}

/** RFC 6125 6.4.4: the common name is no name where there are others, and RFC 9110 4.3.4 knows others only. */
const COVERING = { subject: 'never', partialWildcards: false } as const;
