/**
 * The certificate that the operator shows on its port: by the CA, for the names under which agents know it. Made anew
 * when two thirds of its life are over, or when another CA signs; connections that are open stay as they are.
 */
import { isIP } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { CERTIFICATE_DAYS } from '../../contract/stream/join.ts';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import { DAY_MS } from './ca.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { KeyAndCertificate } from './certificates.ts';

const RENEW_AFTER_MS = (CERTIFICATE_DAYS * DAY_MS * 2) / 3;
const LOOK_MS = 60_000;
const ANY_ADDRESS = new Set(['0.0.0.0', '::']);

/** The names of a port: this machine's own, the address that it listens on, and those that people said. */
export function serverNames(host: string, given: readonly string[]): string[] {
  const address = isIP(host) === 0 || ANY_ADDRESS.has(host) ? [] : [host];
  return [...new Set(['localhost', '127.0.0.1', '::1', ...address, ...given])];
}

interface ServerCertificateOptions {
  ca: CertificateAuthority;
  names: readonly string[];
  clock: Clock;
  log: Log;
}

export class ServerCertificate {
  readonly #options: ServerCertificateOptions;
  #shown: KeyAndCertificate;
  #signer: string;
  #bundle: string;
  #madeAt: number;
  readonly #looks = latest<void>(() => this.#look());
  readonly #stopLooking: () => void;
  readonly #listeners: ((tls: TlsOptions) => void)[] = [];

  static async make(options: ServerCertificateOptions): Promise<ServerCertificate> {
    return new ServerCertificate(options, await options.ca.issueToServer(options.names));
  }

  private constructor(options: ServerCertificateOptions, shown: KeyAndCertificate) {
    const { ca, clock } = options;
    this.#options = options;
    this.#shown = shown;
    this.#signer = ca.signer();
    this.#bundle = ca.bundle().digest;
    this.#madeAt = clock.now();
    this.#stopLooking = clock.every(LOOK_MS, () => this.#looks.offer());
    ca.onChange(() => this.#looks.offer());
  }

  /** For the port: its own certificate, and the CAs by which clients may show theirs. */
  tls(): TlsOptions {
    const { key, certificate } = this.#shown;
    return { minVersion: 'TLSv1.3', key, cert: certificate, ca: this.#options.ca.bundle().pem };
  }

  onChange(listener: (tls: TlsOptions) => void): void {
    this.#listeners.push(listener);
  }

  async stop(): Promise<void> {
    this.#stopLooking();
    await this.#looks.idle();
  }

  async #look(): Promise<void> {
    try {
      await this.#renew();
    } catch (error) {
      this.#options.log.error({ err: error }, 'the port’s certificate is not renewed; trying again');
    }
  }

  async #renew(): Promise<void> {
    const { ca, names, clock, log } = this.#options;
    const isDue = ca.signer() !== this.#signer || clock.now() >= this.#madeAt + RENEW_AFTER_MS;
    if (isDue) {
      const signer = ca.signer();
      this.#shown = await ca.issueToServer(names);
      this.#signer = signer;
      this.#madeAt = clock.now();
      log.info({ names }, 'the port has a new certificate');
    }
    // A bundle that grew counts too: clients are told by whom their certificates may be.
    if (!isDue && ca.bundle().digest === this.#bundle) return;
    this.#bundle = ca.bundle().digest;
    for (const listener of this.#listeners) listener(this.tls());
  }
}
