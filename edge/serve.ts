/**
 * The part of an edge that serves clients, on what lies below it: store, fills and plans. An edge of one process has it
 * in its main process (main.ts), others in each worker (workers/worker.ts).
 *
 *     clients ─> (termination ─>) fast path ── ready hits in memory ───┬────────────────> clients
 *                └> http server ─> health, pipeline ──┴─ hit ──> store (memory, disk) ─> clients
 *                                                     └─ miss ─> fills ─> origin
 */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { openAccessLog } from './access-log/access-log.ts';
import { createAskHead } from './answer/asking-head.ts';
import type { Teller } from './answer/client-headers.ts';
import { createFetching } from './answer/fetching.ts';
import { createMending } from './answer/mending.ts';
import { createPassing } from './answer/passing.ts';
import { createReadyHits } from './answer/ready-hits.ts';
import { createServing } from './answer/serving.ts';
import { createSlicing } from './answer/slicing.ts';
import type { Fills } from './cache/fill.ts';
import { HitForMiss } from './cache/hit-for-miss.ts';
import type { PurgeScope } from './cache/purge-scope.ts';
import type { Store } from './cache/store.ts';
import { createConnectionLimit } from './limits/connections.ts';
import { type OnLimit, readLimits } from './limits/limits.ts';
import { createRateWatch } from './limits/rate-watch.ts';
import type { Health } from './listen/health.ts';
import { createHttpServer } from './listen/http-server.ts';
import { type KernelCopies, openKernelCopies } from './listen/kernel-copies.ts';
import { type Listeners, type ServingAddress, startListeners } from './listen/listeners.ts';
import { endOfHead } from './listen/plain-response.ts';
import { chooseSendFile } from './listen/send-file.ts';
import type { EdgeMetrics } from './metrics.ts';
import { createObserver } from './observer.ts';
import type { EdgeOptions } from './options.ts';
import { createOrigin, DEFAULT_TIMEOUTS, type OriginTimeouts } from './origin/origin.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import type { Plans } from './plan/plans.ts';
import { STEPS, type Step } from './steps.ts';
import type { Certificates } from './tls/certificates.ts';
import { createTermination } from './tls/termination.ts';
import type { TicketKey } from './tls/ticket-key.ts';
import type { UsageMeter } from './usage/meter.ts';

export interface ServeParts {
  settings: EdgeOptions['settings'];
  /** The edge's folder. */
  state: string;
  teller: Teller;
  plans: Pick<Plans, 'current'>;
  certificates: Pick<Certificates, 'get' | 'refuse' | 'version'>;
  ticketKey: TicketKey;
  health: Pick<Health, 'answer'>;
  store: Store;
  fills: Fills;
  /** What an unsafe method made invalid. */
  invalidate: (scopes: readonly PurgeScope[]) => void;
  metrics: EdgeMetrics;
  meter: UsageMeter;
  clock: Clock;
  log: Log;
  timeouts?: OriginTimeouts | undefined;
  /** Those of the project, but for tests. */
  steps?: readonly Step[] | undefined;
  /** Off in tests: what is held against what node:http and node:http2 do alone. */
  fastPaths?: boolean | undefined;
}

export interface Served {
  pipeline: Pipeline;
  /** Who rotates the access log may say so; it is found out without, too. */
  reopenLogs(): void;
  /** `shared`: other processes listen on the same addresses. */
  listen(addresses: readonly ServingAddress[], how: { shared: boolean }): Promise<Listeners>;
  useTicketKey(key: TicketKey): void;
  /** After the listeners are drained. */
  stop(): Promise<void>;
}

export function serve(parts: ServeParts): Served {
  const { settings, state, teller, plans, health, store, fills, invalidate, metrics, meter, clock, log } =
    parts;
  const { certificates, ticketKey, steps = STEPS, fastPaths = true } = parts;
  let httpsPort: number | undefined;
  let copies: KernelCopies | undefined;
  const limits = readLimits(settings.limits, settings.edge.workers);
  const onLimit: OnLimit = (limit) => metrics.limited.inc({ limit });
  const accessLog =
    settings.accessLog &&
    openAccessLog(settings.accessLog, {
      node: teller.node,
      folder: state,
      clock,
      log,
      onDropped: (lines) => metrics.accessLogDropped.inc(lines),
    });
  const observer = createObserver({ metrics, meter, accessLog });

  const origin = createOrigin(clock, metrics, parts.timeouts ?? DEFAULT_TIMEOUTS);
  const mending = createMending({ store, fills, origin, observer });
  const serving = createServing(mending, clock, teller);
  const passing = createPassing({ teller, origin, invalidate });
  const hitForMiss = new HitForMiss(clock);
  const { waitersPerObject } = limits;
  const fetching = createFetching({
    fills,
    hitForMiss,
    serving,
    passing,
    origin,
    observer,
    waitersPerObject,
    onLimit,
  });
  const slicing = createSlicing({
    store,
    fills,
    serving,
    passing,
    unsliced: new HitForMiss(clock),
    invalidate,
    origin,
    observer,
    clock,
  });
  const askHead = createAskHead({ store, serving, passing, clock });
  const pipeline = createPipeline({
    teller,
    health,
    plans,
    store,
    serving,
    passing,
    steps,
    fetching,
    slicing,
    askHead,
    clock,
    httpsPort: () => httpsPort,
  });

  const readyHits = fastPaths
    ? createReadyHits({ plans, store, clock, teller, steps, endOfHead: endOfHead(limits.idleMs) })
    : undefined;
  const rateWatch = createRateWatch(limits, clock, onLimit);
  const admit = createConnectionLimit(limits, onLimit);
  const termination = createTermination({
    plans,
    certificates,
    ticketKey,
    defaultDomain: settings.edge.tls.defaultDomain,
    handshakeMs: limits.headerMs,
    onLimit,
    onHandshake: (result, version) => metrics.handshakes.inc({ result, version }),
  });

  return {
    pipeline,
    reopenLogs: () => accessLog?.reopen(),
    async listen(addresses, { shared }) {
      const sendFile = await chooseSendFile(settings.edge.sendfile, log);
      copies = sendFile && (await openKernelCopies(store.memoryBytes, log));
      const server = {
        pipeline,
        readyHits,
        sendFile,
        copies,
        limits,
        admit,
        rateWatch,
        termination,
        onLimit,
        observer,
        metrics,
        log,
      };
      const create = (how: { secure: boolean }) => createHttpServer(server, how);
      const listeners = await startListeners(addresses, create, { reusePort: shared });
      httpsPort = listeners.bound.find(({ secure }) => secure)?.port;
      return listeners;
    },
    useTicketKey: (key) => termination.useTicketKey(key),
    async stop() {
      rateWatch.stop();
      await fills.stop();
      await origin.close();
      await accessLog?.close();
      copies?.close();
    },
  };
}
