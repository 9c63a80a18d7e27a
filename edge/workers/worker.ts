/**
 * A worker of an edge: serves clients from the folder that it shares with the main process and the other workers, and
 * does as the main process says (workers.ts has the picture). It ends with the main process.
 */
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { createLog } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import { runUntilStopped } from '../../lib/run-until-stopped.ts';
import { Fills } from '../cache/fill.ts';
import type { PurgeScope } from '../cache/purge-scope.ts';
import { joinFolder } from '../cache/shared-folder.ts';
import { Store } from '../cache/store.ts';
import { healthAnswer } from '../listen/health.ts';
import type { Listeners, ServingAddress } from '../listen/listeners.ts';
import { createMetrics } from '../metrics.ts';
import { diskQuotas } from '../plan/quotas.ts';
import { type ServedPlan, servePlan } from '../plan/served-plan.ts';
import { type Served, serve } from '../serve.ts';
import { Certificates } from '../tls/certificates.ts';
import { createUsageMeter } from '../usage/meter.ts';
import type { Contents, Figures, FromWorker, ToWorker } from './messages.ts';

type Start = Extract<ToWorker, { type: 'start' }>;

/** A worker that is killed loses what it had not told. */
const TELL_USAGE_EVERY_MS = 1_000;

class EdgeWorker {
  readonly #log = createLog('edge-worker', { pid: process.pid });
  readonly #metrics = createMetrics();
  /** Let go last. */
  readonly #joined: { close(): void };
  readonly #store: Store;
  readonly #fills: Fills;
  readonly #served: Served;
  readonly #certificates = new Certificates(this.#log);
  readonly #meter = createUsageMeter();
  #listeners: Listeners | undefined;
  #health: string | undefined;
  #plan: ServedPlan | undefined;
  #prepared: ServedPlan | undefined;
  readonly #limitDomains: (plan: ServedPlan) => void;
  /** Of purges of our own, until the main process has made them everyone's; its own ones count up. */
  #ownPurges = 0;
  /** Told to stop: an end of the channel is in order. */
  stopping = false;

  constructor({ options, mark, health, contents, certificates, ticketKey }: Start) {
    this.#certificates.apply(certificates);
    this.#health = health;
    const { node, state, memory: memoryBytes, disk: diskBytes, settings } = options;
    const [log, metrics, clock] = [this.#log, this.#metrics, systemClock];
    const folder = join(state, 'cache');
    this.#joined = joinFolder(folder);
    this.#store = new Store({
      folder,
      // Together they hold what the edge may.
      memoryBytes: Math.floor(memoryBytes / settings.edge.workers),
      diskBytes,
      admission: settings.edge.disk.admission,
      clock,
      log,
      metrics,
      share: { mark, tell: (change) => tell({ type: 'changed', change }) },
    });
    this.#limitDomains = (plan) =>
      this.#store.limitDomains(diskQuotas(settings.edge.disk.quotas, plan, diskBytes));
    if (contents !== undefined) this.#use(planOf(contents));
    // The main process tells what is on the disk.
    metrics.followStore(() => ({ memory: this.#store.stats().memory }));
    this.#fills = new Fills(this.#store, clock, log);
    this.#served = serve({
      settings,
      state,
      teller: { node, edgeId: `weir-${node}` },
      plans: { current: () => this.#plan },
      certificates: this.#certificates,
      ticketKey,
      health: { answer: () => healthAnswer(this.#health) },
      store: this.#store,
      fills: this.#fills,
      invalidate: (scopes) => this.#invalidate(scopes),
      metrics,
      meter: this.#meter,
      clock,
      log,
    });
    systemClock.every(TELL_USAGE_EVERY_MS, () => this.#tellUsage());
  }

  #use(plan: ServedPlan | undefined): void {
    this.#plan = plan;
    if (plan !== undefined) this.#limitDomains(plan);
  }

  async listen(addresses: readonly ServingAddress[]): Promise<ServingAddress[]> {
    this.#listeners = await this.#served.listen(addresses, { shared: true });
    return this.#listeners.bound;
  }

  /** Does what it is told; what it gives is the answer. */
  async take(message: Exclude<ToWorker, Start>): Promise<unknown> {
    switch (message.type) {
      case 'prepare':
        this.#prepared = planOf(message.contents);
        return true;
      case 'commit':
        this.#use(this.#prepared ?? this.#plan);
        return true;
      case 'certificates':
        this.#certificates.apply(message.changes);
        return true;
      case 'ticketKey':
        this.#served.useTicketKey(message.key);
        return true;
      case 'hide':
        this.#fills.detach(message.scopes);
        return this.#store.purges.hide(message.purge, message.scopes, message.hiding);
      case 'lift':
        return this.#store.purges.lift(message.purge);
      case 'revalidate':
        this.#fills.closeToJoins();
        return this.#store.purges.mustRevalidateBelow(message.below);
      case 'changed':
        return this.#store.changedElsewhere(message.change);
      case 'health':
        this.#health = message.reason;
        return true;
      case 'figures':
        return await this.#figures();
      case 'stop':
        this.stopping = true;
        await this.#listeners?.drain();
        this.#tellUsage();
        process.disconnect?.();
        return true;
    }
  }

  async stop(): Promise<void> {
    await this.#listeners?.drain();
    await this.#served.stop();
    await this.#store.close();
    this.#joined.close();
  }

  #tellUsage(): void {
    const rows = this.#meter.take();
    if (rows.length > 0) tell({ type: 'usage', rows });
  }

  async #figures(): Promise<Figures> {
    const [metrics, connections = 0] = await Promise.all([
      this.#metrics.registry.getMetricsAsJSON(),
      this.#listeners?.connections(),
    ]);
    return { metrics, connections, loop: performance.eventLoopUtilization() };
  }

  /** In force here at once, and with the others as soon as they hear of it. */
  #invalidate(scopes: readonly PurgeScope[]): void {
    const purge = -++this.#ownPurges;
    this.#fills.detach(scopes);
    // Between this generation and the next one, which the main process gives.
    this.#store.purges.hide(purge, scopes, {
      generation: this.#store.purges.generation + 0.5,
      staleAt: undefined,
    });
    tell({ type: 'invalidate', scopes, purge });
  }
}

function planOf({ revision, domains, lingering, challenges }: Contents): ServedPlan {
  return servePlan(revision, domains, lingering, challenges);
}

/** A main process that is gone hears nothing, and we end. */
function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

/** Resolves with the worker once it serves; it is told everything by messages. */
function start(): Promise<EdgeWorker> {
  return new Promise((resolve, reject) => {
    let worker: EdgeWorker | undefined;
    const answer = async (message: ToWorker): Promise<unknown> => {
      if (message.type !== 'start') return await worker?.take(message);
      worker = new EdgeWorker(message);
      const bound = await worker.listen(message.listen);
      resolve(worker);
      return bound;
    };
    // A main process that was killed: the next one may hold the folder already, so nothing more is written to it.
    process.once('disconnect', () => {
      if (worker?.stopping !== true) process.exit(1);
    });
    process.on('message', (message: ToWorker) => {
      const { number } = message;
      answer(message).then(
        (value) => tell({ type: 'answer', number, value }),
        (error: unknown) => {
          const text = messageOf(error);
          tell({ type: 'failed', number, message: text });
          if (message.type === 'start') reject(error);
        },
      );
    });
  });
}

if (import.meta.main) {
  // The main process drains first, with us serving, and then tells us to stop.
  const log = createLog('edge-worker', { pid: process.pid });
  await runUntilStopped(log, start, { leavesSignals: true });
}
