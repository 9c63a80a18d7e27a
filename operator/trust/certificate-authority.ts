/**
 * The CA as this operator uses it: read from its store (made there when there is none), rotated while this replica leads,
 * and looked at again every minute, so that the other replicas follow. A store that does not answer changes nothing:
 * certificates are made and judged from memory.
 */
import type { webcrypto, X509Certificate } from 'node:crypto';
import { CERTIFICATE_DAYS } from '../../contract/stream/join.ts';
import { bundleDigest, caDigest, readBundle } from '../../contract/trust/bundle.ts';
import type { CertifiedIdentity } from '../../contract/trust/identity.ts';
import { backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import { bundleOf, type CaState, DAY_MS, dueStep, takeStep } from './ca.ts';
import { issueToAgent, issueToServer, type KeyAndCertificate, makeAuthority } from './certificates.ts';
import { type GuardedStore, Unreadable, update } from './guarded-store.ts';

const LOOK_MS = 60_000;
/** Between two tries to read it at the start. */
const OPEN_BASE_MS = 500;
const OPEN_CAP_MS = 10_000;
const LIFETIME_MS = CERTIFICATE_DAYS * DAY_MS;

interface AuthorityOptions {
  store: GuardedStore<CaState>;
  /** Whether this replica may rotate. Any may make the first CA: the store lets one of them through. */
  leads: () => boolean;
  clock: Clock;
  log: Log;
}

/** What everybody trusts, in the forms in which it is asked for. */
export interface Bundle {
  pem: string;
  digest: string;
  authorities: X509Certificate[];
  /** Digests of them. */
  trusted: ReadonlySet<string>;
}

export class CertificateAuthority {
  readonly #options: AuthorityOptions;
  #state: CaState;
  #bundle: Bundle;
  #stopLooking = () => {};
  readonly #looks = latest<void>(() => this.#look());
  readonly #listeners: (() => void)[] = [];

  /** Waits for a store that does not answer: without a CA nobody can be let in. */
  static async open(options: AuthorityOptions): Promise<CertificateAuthority> {
    const { clock, log } = options;
    const wait = backoff(OPEN_BASE_MS, OPEN_CAP_MS);
    for (;;) {
      try {
        return new CertificateAuthority(options, await settle(options, undefined));
      } catch (error) {
        if (error instanceof Unreadable) throw error;
        log.warn({ err: error }, 'the CA can not be read; trying again');
        await new Promise<void>((resolve) => void clock.after(wait.next(), resolve));
      }
    }
  }

  private constructor(options: AuthorityOptions, state: CaState) {
    this.#options = options;
    this.#state = state;
    this.#bundle = toBundle(state);
    this.#stopLooking = options.clock.every(LOOK_MS, () => this.#looks.offer());
  }

  bundle(): Bundle {
    return this.#bundle;
  }

  /** Called after each change of the CA. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Tells signatures of two CAs apart. */
  signer(): string {
    return this.#state.signing.certificate;
  }

  /** When the CA that signs now ends, in milliseconds since the epoch. */
  signerEnds(): number {
    return this.#state.signing.notAfter;
  }

  issueToAgent(publicKey: webcrypto.CryptoKey, identity: CertifiedIdentity): Promise<string> {
    const validity = { now: this.#options.clock.now(), lifetimeMs: LIFETIME_MS };
    return issueToAgent(this.#state.signing, publicKey, identity, validity);
  }

  issueToServer(names: readonly string[]): Promise<KeyAndCertificate> {
    const validity = { now: this.#options.clock.now(), lifetimeMs: LIFETIME_MS };
    return issueToServer(this.#state.signing, names, validity);
  }

  /** Takes what is due and what others wrote. Resolves when it did, or could not. */
  look(): Promise<void> {
    this.#looks.offer();
    return this.#looks.idle();
  }

  async stop(): Promise<void> {
    this.#stopLooking();
    await this.#looks.idle();
  }

  async #look(): Promise<void> {
    const { log } = this.#options;
    try {
      const state = await settle(this.#options, this.#state);
      const bundle = toBundle(state);
      if (bundle.digest === this.#bundle.digest && state.signing.certificate === this.signer()) return;
      this.#state = state;
      this.#bundle = bundle;
      log.info({ authorities: bundle.authorities.map(({ subject }) => subject) }, 'the CA has changed');
      for (const listener of this.#listeners) listener();
    } catch (error) {
      log.warn({ err: error }, 'the CA can not be looked at; going on with the one held');
    }
  }
}

/** The newest state, after all steps that are due. What a store has lost is put back from what is held. */
async function settle(
  { store, leads, clock }: AuthorityOptions,
  held: CaState | undefined,
): Promise<CaState> {
  const now = clock.now();
  const { value } = await update(store, async (stored) => {
    let state = stored ?? held;
    for (let step = dueStep(state, now); step; step = dueStep(state, now)) {
      if (step !== 'make' && !leads()) break;
      state = takeStep(state, step, await makeAuthority(now), now);
    }
    return state === stored ? undefined : state;
  });
  if (!value) throw new Error('the store gave no CA back');
  return value;
}

function toBundle(state: CaState): Bundle {
  const pem = bundleOf(state);
  const authorities = readBundle(pem);
  return { pem, digest: bundleDigest(pem), authorities, trusted: new Set(authorities.map(caDigest)) };
}
