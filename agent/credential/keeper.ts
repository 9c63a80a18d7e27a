/**
 * Keeps an agent's credential: read from disk, or asked for; renewed in time, or when the CAs change; asked for anew when
 * the operator takes it no more. A new one is durable before it is used, and used by connections that begin after it: a
 * stream that is open stays.
 *
 *     disk ─> credential ─> line (TLS) ─> stream, reports
 *     bootstrap ─┘   └── at two thirds of its life, or other CAs: renew ─> disk ─> the next line
 */
import type { Dispatcher } from 'undici';
import type { RefusalReason } from '../../contract/stream/join.ts';
import type { Role } from '../../contract/stream/messages.ts';
import { readFileIfThere } from '../../lib/atomic-file.ts';
import { backoff } from '../../lib/backoff.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import { type BootstrapOptions, bootstrap, canBootstrap } from './bootstrap.ts';
import { type Credential, digestOf, isExpired, renewAt } from './credential.ts';
import { credentialFiles, readCredential, writeCredential } from './credential-files.ts';
import { operatorLine } from './operator-line.ts';
import { Refused, renew } from './request.ts';

/** An operator that is down is asked again a thousand times in the ten days that are left. */
const RENEW_BASE_MS = 5_000;
const RENEW_CAP_MS = 15 * 60_000;
/** After the CAs changed, all agents renew within this. */
const BUNDLE_SPREAD_MS = 20_000;
const LOOK_MS = 3_600_000;

/** What another certificate from the bootstrap source would mend. */
const CURABLE: ReadonlySet<RefusalReason> = new Set(['NoCertificate', 'UnknownCa', 'Expired', 'NodeRemade']);

export interface KeeperOptions extends BootstrapOptions {
  /** Where it lies. */
  folder: string;
  role: Role;
  node: string;
  signal: AbortSignal;
  log: Log;
  clock?: Clock;
  random?: () => number;
}

export class CredentialKeeper {
  readonly #options: KeeperOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #wait = backoff(RENEW_BASE_MS, RENEW_CAP_MS);
  #credential: Credential | undefined;
  /** The operator takes it no more. */
  #spoiled = false;
  #line: { dispatcher: Dispatcher; key: string } | undefined;
  /** One at a time: a token is good for once. */
  #obtaining: Promise<Credential> | undefined;
  #renewing: Promise<void> | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #cancelNext = () => {};

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
  }

  /** Connections to the operator. Throws when there is no credential, and none to be had now. */
  async line(): Promise<Dispatcher> {
    this.#obtaining ??= this.#obtain().finally(() => {
      this.#obtaining = undefined;
    });
    const credential = await this.#obtaining;
    const file = this.#options.operatorCa;
    const mounted = file === undefined ? undefined : await readFileIfThere(file);
    const authorities = [credential.bundle, ...(mounted === undefined ? [] : [mounted])];
    const key = [credential.certificate, ...authorities].join();
    if (this.#line?.key === key) return this.#line.dispatcher;
    // What is open on the old one stays so until it ends.
    this.#closeLine();
    const dispatcher = operatorLine({ authorities, credential });
    this.#line = { dispatcher, key };
    return dispatcher;
  }

  /** Of the CAs that this agent trusts. */
  bundle(): string | undefined {
    return this.#credential && digestOf(this.#credential);
  }

  /** The operator did not take it. The next line is made with another, where one can be had. */
  refused(reason: RefusalReason): void {
    if (!CURABLE.has(reason)) return;
    const { log } = this.#options;
    if (canBootstrap(this.#options)) {
      log.error({ reason }, 'the operator does not take this certificate; asking for another');
      this.#spoiled = true;
    } else {
      log.error(
        { reason },
        'the operator does not take this certificate, and there is no token to ask with: join again',
      );
    }
  }

  /** The operator has other CAs. */
  bundleChanged(digest: string): void {
    if (digest === this.bundle()) return;
    this.#renewNotAfter(this.#clock.now() + this.#random() * BUNDLE_SPREAD_MS);
  }

  /** Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#cancelNext();
    await this.#renewing;
    await this.#line?.dispatcher.destroy();
  }

  async #obtain(): Promise<Credential> {
    this.#credential ??= await this.#read();
    const held = this.#credential;
    const isOver = held !== undefined && isExpired(held, this.#clock.now());
    if (held && !this.#spoiled && !isOver) return held;
    if (!canBootstrap(this.#options)) return this.#without(held);
    if (isOver) this.#options.log.error('the certificate has expired; asking for another');
    return this.#bootstrap(held);
  }

  async #bootstrap(held: Credential | undefined): Promise<Credential> {
    const { role, node, signal, log } = this.#options;
    try {
      const joined = await bootstrap(this.#options, { role, node }, signal);
      await this.#take(joined);
      return joined;
    } catch (error) {
      if (!held || signal.aborted) throw error;
      log.error(
        { reason: messageOf(error) },
        'no other certificate is to be had; showing the one held again',
      );
      // It may have been refused by mistake, or for a time: the token that gave it is spent.
      this.#spoiled = false;
      return held;
    }
  }

  /** One that is over is shown all the same: the clock that is wrong may be ours. */
  #without(held: Credential | undefined): Credential {
    const { log, folder } = this.#options;
    if (!held)
      throw new Error(`no certificate in ${folder}, and no token to get one with: see \`weir join\``);
    log.error('the certificate has expired, and there is no token to get another with: join again');
    return held;
  }

  async #read(): Promise<Credential | undefined> {
    const { folder, log } = this.#options;
    try {
      const credential = await readCredential(folder);
      if (credential) this.#renewNotAfter(renewAt(credential, this.#random));
      return credential;
    } catch (error) {
      log.error(
        { path: credentialFiles(folder).credential, err: error },
        'the certificate on disk is not usable',
      );
      return undefined;
    }
  }

  /** Durable first. */
  async #take(credential: Credential): Promise<void> {
    await writeCredential(this.#options.folder, credential);
    this.#credential = credential;
    this.#spoiled = false;
    this.#wait.reset();
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#renewNotAfter(renewAt(credential, this.#random));
  }

  #renewNotAfter(at: number): void {
    this.#dueAt = Math.min(this.#dueAt, at);
    this.#cancelNext();
    // A machine that slept has timers that did too: the time of day is looked at every hour.
    const wait = Math.min(Math.max(0, this.#dueAt - this.#clock.now()), LOOK_MS);
    this.#cancelNext = this.#clock.after(wait, () => {
      if (this.#clock.now() >= this.#dueAt) this.#renewing = this.#renew();
      else this.#renewNotAfter(this.#dueAt);
    });
  }

  async #renew(): Promise<void> {
    const { whereabouts: operator, signal, log } = this.#options;
    this.#dueAt = Number.POSITIVE_INFINITY;
    if (signal.aborted) return;
    try {
      const dispatcher = await this.line();
      await this.#take(await renew({ operator, dispatcher, signal }));
      log.info('the certificate is renewed');
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ reason: messageOf(error) }, 'the certificate is not renewed; trying again');
      if (error instanceof Refused && error.reason) this.refused(error.reason);
      this.#renewNotAfter(this.#clock.now() + this.#wait.next());
    }
  }

  #closeLine(): void {
    void this.#line?.dispatcher.close().catch(() => {});
    this.#line = undefined;
  }
}
