/**
 * The workers of an edge: processes that listen on the same addresses (SO_REUSEPORT) and share its folder. Here, in the
 * main process, lie what must be one: the agent, the plan on disk, purges, room on the disk, metrics.
 *
 *     plan ────> prepared by each ──> committed by each ──> ack
 *     purge ───> hidden by each ──> rows out of the index, durable ──> lifted, ack
 *     change of the folder by one ──> totals here, and the others forget what is old in their memory
 *
 * One that ends is started again, with what is in force now. No worker waits for another one, so that two may fetch the
 * same object at the same time (decision 0036).
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { UsageRow } from '../../contract/stream/usage.ts';
import { backoff } from '../../lib/backoff.ts';
import { formatListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { tryBind } from '../../lib/try-bind.ts';
import type { PurgeScope } from '../cache/purge-scope.ts';
import type { Hiding } from '../cache/purges.ts';
import { OLD_WORKERS_END_MS } from '../cache/shared-folder.ts';
import type { Store } from '../cache/store.ts';
import type { Listeners, ServingAddress } from '../listen/listeners.ts';
import type { EdgeOptions } from '../options.ts';
import type { CertificateChanges, Certificates } from '../tls/certificates.ts';
import type { TicketKey } from '../tls/ticket-key.ts';
import type { Contents, Figures } from './messages.ts';
import { type Question, type Told, WorkerProcess } from './worker-process.ts';

export interface WorkersOptions {
  options: EdgeOptions;
  store: Store;
  log: Log;
  health: () => string | undefined;
  certificates: Pick<Certificates, 'all'>;
  /** A worker served an unsafe method. */
  invalidate: (scopes: readonly PurgeScope[]) => Promise<unknown>;
  onUsage: (rows: readonly UsageRow[]) => void;
}

/** How often what is in force is told on, where nobody waits for it. */
const TELL_EVERY_MS = 50;
const RESTART_BASE_MS = 100;
const RESTART_CAP_MS = 10_000;

export class Workers {
  readonly #options: WorkersOptions;
  readonly #running = new Set<WorkerProcess>();
  #telling: NodeJS.Timeout | undefined;
  readonly #restartWait = backoff(RESTART_BASE_MS, RESTART_CAP_MS);
  #listen: ServingAddress[] = [];
  #ticketKey: TicketKey = '';
  #contents: Contents | undefined;
  #health: string | undefined;
  #marks = 0;
  #purges = 0;
  #stopping = false;
  /** Of workers that have ended: what they counted stays counted. */
  #counted: Figures[] = [];
  readonly #figures = new Map<WorkerProcess, Figures>();

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /** Resolves when all of them serve. The first one finds out the ports. */
  async listen(addresses: readonly ServingAddress[], ticketKey: TicketKey): Promise<Listeners> {
    await refuseTaken(addresses, this.#options.log);
    this.#ticketKey = ticketKey;
    this.#listen = [...addresses];
    this.#health = this.#options.health();
    this.#telling = setInterval(() => this.#tellOn(), TELL_EVERY_MS).unref();
    this.#listen = await this.#startOne();
    await Promise.all(
      Array.from({ length: this.#options.options.settings.edge.workers - 1 }, () => this.#startOne()),
    );
    return {
      bound: this.#listen,
      connections: async () => (await this.figures()).reduce((sum, { connections }) => sum + connections, 0),
      drain: () => this.#stop(),
    };
  }

  /** Builds it in each, aside; what it returns puts it in force in each. */
  async prepare(contents: Contents): Promise<() => Promise<void>> {
    const prepared = new Set(this.#running);
    await this.#askAll({ type: 'prepare', contents });
    return async () => {
      this.#contents = contents;
      // One that began meanwhile began with what was in force before.
      const begun = [...this.#running].filter((worker) => !prepared.has(worker));
      await Promise.all(begun.map((worker) => worker.ask({ type: 'prepare', contents })));
      await this.#askAll({ type: 'commit' });
    };
  }

  /** Before the plan that needs them: a worker does as it is told in that order. */
  useCertificates(changes: CertificateChanges): void {
    void this.#askAll({ type: 'certificates', changes });
  }

  useTicketKey(key: TicketKey): void {
    this.#ticketKey = key;
    void this.#askAll({ type: 'ticketKey', key });
  }

  /** A purge in force in each; says what they alone knew of, and how to end it. */
  async hide(scopes: readonly PurgeScope[], hiding: Hiding): Promise<{ objects: number; lift: () => void }> {
    const purge = ++this.#purges;
    const known = await this.#askAll({ type: 'hide', purge, scopes, hiding });
    return {
      objects: known.reduce<number>((sum, count) => sum + (typeof count === 'number' ? count : 0), 0),
      lift: () => void this.#askAll({ type: 'lift', purge }),
    };
  }

  async revalidate(below: number): Promise<void> {
    await this.#askAll({ type: 'revalidate', below });
  }

  /** Of all that run, and of those that have ended. */
  async figures(): Promise<Figures[]> {
    await Promise.all(
      [...this.#running].map(async (worker) => {
        const figures = await worker.ask({ type: 'figures' });
        if (figures !== undefined && this.#running.has(worker)) this.#figures.set(worker, figures as Figures);
      }),
    );
    return [...this.#counted, ...this.#figures.values()];
  }

  /** How busy each that runs has been since it began. */
  async threads(): Promise<Map<string, Figures['loop']>> {
    await this.figures();
    return new Map([...this.#figures].map(([{ mark }, { loop }]) => [mark, loop]));
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#telling);
    this.#tellOn();
    const ended = [...this.#running].map(({ ended: end }) => end);
    // What it is asked is answered by its end.
    void this.#askAll({ type: 'stop' });
    await Promise.all(ended);
  }

  async #startOne(): Promise<ServingAddress[]> {
    const mark = (++this.#marks % 0x10000).toString(16).padStart(4, '0');
    const worker = new WorkerProcess(mark, (told) => this.#hear(worker, told));
    this.#running.add(worker);
    let isUp = false;
    worker.ended.then(() => this.#ended(worker, isUp)).catch(() => {});
    const contents = this.#contents;
    const bound = await worker.ask({
      type: 'start',
      options: this.#options.options,
      listen: this.#listen,
      mark,
      health: this.#health,
      certificates: this.#options.certificates.all(),
      ticketKey: this.#ticketKey,
      ...(contents && { contents }),
    });
    if (bound === undefined) throw new Error('a worker of the edge does not start; its log says why');
    isUp = true;
    this.#restartWait.reset();
    return bound as ServingAddress[];
  }

  #ended(worker: WorkerProcess, wasUp: boolean): void {
    this.#running.delete(worker);
    const figures = this.#figures.get(worker);
    this.#figures.delete(worker);
    if (figures !== undefined) this.#counted = [...this.#counted, { ...figures, connections: 0 }];
    if (this.#stopping) return;
    this.#options.store.fillingElsewhere(this.#filling());
    this.#options.store.sweepAfter(worker.mark);
    if (!wasUp) return;
    this.#options.log.error({ pid: worker.pid }, 'a worker has ended; another one is started');
    this.#restart();
  }

  #restart(): void {
    setTimeout(() => {
      if (this.#stopping) return;
      this.#startOne().catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'a worker does not start');
        this.#restart();
      });
    }, this.#restartWait.next());
  }

  #hear(worker: WorkerProcess, told: Told): void {
    const { store, invalidate, onUsage, log } = this.#options;
    if (told.type === 'usage') {
      onUsage(told.rows);
      return;
    }
    if (told.type === 'invalidate') {
      invalidate(told.scopes)
        .catch((error: unknown) => log.warn({ err: error }, 'an invalidation is not worked off yet'))
        .finally(() => void worker.ask({ type: 'lift', purge: told.purge }));
      return;
    }
    const { filling, ...change } = told.change;
    worker.filling = filling;
    store.changedElsewhere(change);
    store.fillingElsewhere(this.#filling());
    if (change.keys.length + change.gone.length === 0) return;
    for (const other of this.#running)
      if (other !== worker) void other.ask({ type: 'changed', change: { ...change, stored: [] } });
  }

  #filling(): number {
    return [...this.#running].reduce((sum, { filling }) => sum + filling, 0);
  }

  #tellOn(): void {
    const reason = this.#options.health();
    if (reason !== this.#health) {
      this.#health = reason;
      void this.#askAll({ type: 'health', reason });
    }
    const changed = this.#options.store.takeChanged();
    if (changed.keys.length + changed.gone.length > 0) {
      void this.#askAll({ type: 'changed', change: { ...changed, stored: [] } });
    }
  }

  #askAll(question: Question): Promise<unknown[]> {
    return Promise.all([...this.#running].map((worker) => worker.ask(question)));
  }
}

/** With SO_REUSEPORT another program's workers would be taken for ours. */
async function refuseTaken(addresses: readonly ServingAddress[], log: Log): Promise<void> {
  for (const address of addresses) {
    let fault = await tryBind(address, 'tcp');
    if (fault !== undefined) {
      const where = formatListenAddress(address);
      log.warn(
        { address: where, fault, waitMs: OLD_WORKERS_END_MS },
        'an address is taken; it may become free',
      );
    }
    // Workers of a main process that was killed end by themselves, in a moment.
    for (const until = Date.now() + OLD_WORKERS_END_MS; fault !== undefined && Date.now() < until; ) {
      await wait(TELL_EVERY_MS);
      fault = await tryBind(address, 'tcp');
    }
    if (fault !== undefined) throw new Error(`cannot listen on ${formatListenAddress(address)}: ${fault}`);
  }
}
