/**
 * Trust put together, as the port uses it:
 *
 *     store ─> CA ─┬─> server certificate ─> port
 *                  ├─> judge <── certificate that a client shows, deny list, EdgeNodes
 *                  └─> joining <── join token | pod token | certificate
 */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket, TlsOptions } from 'node:tls';
import type { RefusalReason } from '../../contract/stream/join.ts';
import type { CertifiedIdentity } from '../../contract/trust/identity.ts';
import type { JoinTokenRecord } from '../../contract/trust/join-token.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { Refusal } from '../publish/refusal.ts';
import type { CaState } from './ca.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import type { GuardedStore } from './guarded-store.ts';
import { Joining, type JoiningOptions } from './joining.ts';
import { judge, readCertificate, type ShownCertificate } from './judge.ts';
import type { TrustPolicy } from './policy.ts';
import { TrustRefusal } from './refusal.ts';
import { ServerCertificate } from './server-certificate.ts';

export interface TrustStores {
  ca: GuardedStore<CaState>;
  tokens: GuardedStore<JoinTokenRecord[]>;
}

export interface TrustOptions extends Pick<JoiningOptions, 'machineToken' | 'review' | 'policy'> {
  stores: TrustStores;
  /** By which agents know the port. */
  names: readonly string[];
  leads: () => boolean;
  /** The time of day: other machines judge our certificates by theirs. */
  clock: Clock;
  log: Log;
}

type Policy = Pick<TrustPolicy, 'deny' | 'incarnation'>;

/** An agent that was let in, and by what. */
export interface KnownAgent {
  identity: CertifiedIdentity;
  shown: ShownCertificate;
}

export class Trust {
  readonly ca: CertificateAuthority;
  readonly joining: Joining;
  readonly tokens: GuardedStore<JoinTokenRecord[]>;
  readonly #options: TrustOptions;
  readonly #server: ServerCertificate;
  /** What a connection showed: it is the same for as long as that lasts. */
  readonly #shown = new WeakMap<TLSSocket, ShownCertificate>();

  /** Against which nothing spoke, by what was known then: a thousand reports are judged by the same. */
  readonly #sound = new WeakMap<ShownCertificate, { policy: Policy; trusted: ReadonlySet<string> }>();

  static async open(options: TrustOptions): Promise<Trust> {
    const { stores, leads, names, clock, log } = options;
    const ca = await CertificateAuthority.open({ store: stores.ca, leads, clock, log });
    return new Trust(options, ca, await ServerCertificate.make({ ca, names, clock, log }));
  }

  private constructor(options: TrustOptions, ca: CertificateAuthority, server: ServerCertificate) {
    this.#options = options;
    this.ca = ca;
    this.#server = server;
    this.tokens = options.stores.tokens;
    this.joining = new Joining({ ...options, ca, tokens: options.stores.tokens });
  }

  /** The time of day. */
  now(): number {
    return this.#options.clock.now();
  }

  tls(): TlsOptions {
    return this.#server.tls();
  }

  onTlsChange(listener: (tls: TlsOptions) => void): void {
    this.#server.onChange(listener);
  }

  /** Who is at the other end. Throws when that is nobody who may come in. */
  identify(socket: TLSSocket): KnownAgent {
    const shown = this.#read(socket);
    const { identity, serial } = shown;
    const reason = this.objection(shown);
    if (identity && !reason) return { identity, shown };
    const who = identity ? `${identity.role} ${identity.node}` : 'the certificate';
    throw new TrustRefusal(reason ?? 'NotAnAgent', `${who} (serial ${serial})`);
  }

  /** What speaks against a certificate now: it may have been good when the connection began. */
  objection(shown: ShownCertificate): RefusalReason | undefined {
    const { trusted } = this.ca.bundle();
    const policy = this.#policy();
    const now = this.now();
    const sound = this.#sound.get(shown);
    const isSound = sound?.policy === policy && sound.trusted === trusted;
    if (isSound && shown.notBefore <= now && now < shown.notAfter) return undefined;
    const reason = judge(shown, { now, trusted, denied: policy.deny, incarnation: policy.incarnation });
    if (reason === undefined) this.#sound.set(shown, { policy, trusted });
    return reason;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await this.ca.stop();
  }

  /** Where it is not known nobody is denied: the leader asks again when a stream is opened. */
  #policy(): Policy {
    try {
      return this.#options.policy();
    } catch (error) {
      if (error instanceof Refusal) return { deny: [], incarnation: () => undefined };
      throw error;
    }
  }

  #read(socket: TLSSocket): ShownCertificate {
    const known = this.#shown.get(socket);
    if (known) return known;
    const certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
    if (!certificate) throw new TrustRefusal('NoCertificate', 'no certificate was shown');
    const shown = readCertificate(certificate, this.ca.bundle().authorities);
    // One by a CA that we have not heard of yet may be known at the next request.
    if (shown.signedBy !== undefined) this.#shown.set(socket, shown);
    return shown;
  }
}
