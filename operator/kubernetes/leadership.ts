/**
 * One replica leads: the one that holds the Lease. Its figures are client-go's: a Lease is good for 15 s, is renewed
 * every 2 s, and a holder that could not renew it for 10 s writes nothing until it could.
 *
 * It goes on serving agents meanwhile: an API server that is down is no reason to leave them, and a new leader's plans
 * carry a higher epoch, which lies in the same Lease. Only that another holds the Lease ends a leader.
 */
import { z } from 'zod';
import { GROUP } from '../../contract/kinds/kind.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { EpochStore } from '../publish/epoch-file.ts';
import { hasStatus, type KubernetesApi } from './api.ts';
import type { Regarding } from './events.ts';

const LEASE_S = 15;
const RENEW_WITHIN_MS = 10_000;
const RETRY_MS = 2_000;
const API_VERSION = 'coordination.k8s.io/v1';
const NAME = 'weir-operator';
const EPOCH = `${GROUP}/epoch`;
const ADDRESS = `${GROUP}/address`;

interface LeadershipOptions {
  api: KubernetesApi;
  namespace: string;
  /** This process, and no other before or after it. */
  identity: string;
  /** Where agents reach this replica when it leads. */
  address: string | undefined;
  clock: Clock;
  log: Log;
}

const lease = z.looseObject({
  metadata: z.looseObject({
    uid: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z
    .looseObject({
      holderIdentity: z.string().optional(),
      leaseDurationSeconds: z.int().optional(),
      leaseTransitions: z.int().optional(),
      renewTime: z.string().optional(),
    })
    .default({}),
});
type Lease = z.infer<typeof lease>;

export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #path: string;
  readonly #folder: string;
  /** As the API server last gave it. */
  #lease: Lease | undefined;
  /** When the holder last showed itself, by our own clock: those of two machines are never compared. */
  #seen = { renewTime: '', at: 0 };
  #renewedAt = Number.NEGATIVE_INFINITY;
  /** Epoch that was seen or written: with a Lease that somebody deletes it must not be forgotten. */
  #highest = 0;
  #cancelNext = () => {};
  #stopped = false;
  #queue: Promise<unknown> = Promise.resolve();
  readonly #led = Promise.withResolvers<void>();
  readonly #lost = Promise.withResolvers<Error>();

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#folder = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
    this.#path = `${this.#folder}/${NAME}`;
  }

  /** Resolves when this replica leads. */
  get led(): Promise<void> {
    return this.#led.promise;
  }

  /** Resolves when another replica leads after this one did. */
  get lost(): Promise<Error> {
    return this.#lost.promise;
  }

  start(): void {
    void this.#round();
  }

  /** Who leads, as far as it is known. */
  holder(): string {
    return this.#lease?.spec.holderIdentity ?? '';
  }

  /** The Lease as Events speak of it; nothing before it was read. */
  regarding(): Regarding | undefined {
    const uid = this.#lease?.metadata.uid;
    if (uid === undefined) return undefined;
    return { apiVersion: API_VERSION, kind: 'Lease', name: NAME, namespace: this.#options.namespace, uid };
  }

  /** And the URL where agents reach it, if it has one. */
  leader(): { holder: string; address: string | undefined } {
    const holder = this.holder();
    return { holder, address: holder === '' ? undefined : this.#lease?.metadata.annotations?.[ADDRESS] };
  }

  /** False while another may have become the leader without our having heard of it. */
  leads = (): boolean => this.#options.clock.now() - this.#renewedAt < RENEW_WITHIN_MS;

  mayWrite = (): void => {
    if (!this.leads()) throw new Error('the Lease could not be renewed: another replica may lead');
  };

  /** The epoch of the last leader that published, at least the number of leaders that there were. */
  readonly epoch: EpochStore = {
    read: async () => Math.max(this.#highest, this.#lease?.spec.leaseTransitions ?? 0),
    write: (epoch) =>
      this.#inTurn(async () => {
        this.#highest = epoch;
        await this.#put({ holderIdentity: this.#options.identity });
      }),
  };

  /** Gives the Lease back, so that another replica need not wait. */
  async stop(): Promise<void> {
    this.#stopped = true;
    // Whatever is still to be written is the next leader's.
    this.#renewedAt = Number.NEGATIVE_INFINITY;
    this.#cancelNext();
    await this.#inTurn(async () => {
      if (this.holder() === this.#options.identity) await this.#put({ holderIdentity: '' });
    }).catch((error: unknown) => this.#options.log.warn({ err: error }, 'the Lease is not given back'));
  }

  async #round(): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await this.#inTurn(() => this.#takeOrRenew());
    } catch (error) {
      // Another was faster, our own answer was lost, or the Lease is gone: the next round reads what is true now.
      if (hasStatus(error, 404, 409)) this.#lease = undefined;
      else log.warn({ err: error }, 'the Lease is not renewed; trying again');
    }
    if (!this.#stopped) this.#cancelNext = clock.after(RETRY_MS, () => void this.#round());
  }

  async #takeOrRenew(): Promise<void> {
    const { identity, clock, log } = this.#options;
    if (this.#stopped) return;
    const mine = this.#renewedAt !== Number.NEGATIVE_INFINITY;
    // A leader knows the Lease as it wrote it; a guarded write finds out if that is no longer so.
    if (!mine || !this.#lease) this.#lease = await this.#read();
    const holder = this.holder();
    if (mine && holder !== identity && holder !== '') {
      this.#stopped = true;
      this.#renewedAt = Number.NEGATIVE_INFINITY;
      this.#lost.resolve(new Error(`another replica leads now: ${holder}`));
      return;
    }
    if (!mine && holder !== '' && !this.#expired()) return;
    const asked = clock.now();
    await this.#put({ holderIdentity: identity });
    this.#renewedAt = asked;
    if (mine) return;
    log.info({ holder: identity, before: holder }, 'this replica leads');
    this.#led.resolve();
  }

  /** Whether the holder has not shown itself for as long as its Lease is good. */
  #expired(): boolean {
    const { renewTime = '', leaseDurationSeconds = LEASE_S } = this.#lease?.spec ?? {};
    const now = this.#options.clock.now();
    if (renewTime !== this.#seen.renewTime) this.#seen = { renewTime, at: now };
    return now - this.#seen.at >= leaseDurationSeconds * 1_000;
  }

  async #read(): Promise<Lease | undefined> {
    try {
      return this.#noted(lease.parse(await this.#options.api.get(this.#path)));
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  #noted(found: Lease): Lease {
    const epoch = Number.parseInt(found.metadata.annotations?.[EPOCH] ?? '', 10);
    if (Number.isSafeInteger(epoch)) this.#highest = Math.max(this.#highest, epoch);
    return found;
  }

  /** Writes the Lease over the one that we know: the API server refuses it when that is not the newest. */
  async #put(spec: { holderIdentity: string }): Promise<void> {
    const { api, namespace, address, clock } = this.#options;
    const before = this.#lease;
    const { [ADDRESS]: _, ...kept } = before?.metadata.annotations ?? {};
    const annotations = {
      ...kept,
      ...(this.#highest > 0 && { [EPOCH]: String(this.#highest) }),
      ...(address !== undefined && { [ADDRESS]: address }),
    };
    const now = new Date(clock.now()).toISOString().replace('Z', '000Z');
    const passed = before?.spec.holderIdentity !== spec.holderIdentity && spec.holderIdentity !== '';
    const body = {
      apiVersion: API_VERSION,
      kind: 'Lease',
      metadata: { ...(before?.metadata ?? { name: NAME, namespace }), annotations },
      spec: {
        ...before?.spec,
        ...spec,
        leaseDurationSeconds: LEASE_S,
        renewTime: now,
        ...(passed && { acquireTime: now, leaseTransitions: (before?.spec.leaseTransitions ?? 0) + 1 }),
      },
    };
    const answer = before ? await api.replace(this.#path, body) : await api.create(this.#folder, body);
    this.#lease = lease.parse(answer);
  }

  /** A renewal and an epoch must not overtake each other: both are guarded by one resourceVersion. */
  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(step);
    this.#queue = result.catch(() => {});
    return result;
  }
}
