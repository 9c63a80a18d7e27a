/**
 * The edge: a caching reverse proxy that is told by the operator what to serve, and serves on without it.
 *
 *     state folder ─┐
 *     operator ─────┴─agent─> plan ─prepare─> plans ──┐
 *                           > command ─> store, fills │
 *     clients ─> fast path ── ready hits in memory ───┼─────────────────────────────────> clients
 *                └> http server ─> health, pipeline ──┴─ hit ──> store (memory, disk) ─> clients
 *                                                     └─ miss ─> fills ─> origin
 *
 * It starts and serves with no operator: its plan and its cache lie in its state folder. One process uses a folder.
 */
import { join } from 'node:path';
import type { Agent, AgentOptions } from '../agent/agent.ts';
import { createAgent } from '../agent/create-agent.ts';
import type { Command } from '../contract/stream/messages.ts';
import { startAdminServer } from '../lib/admin-server.ts';
import { boundPort } from '../lib/bound-port.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { formatListenAddress, type ListenAddress } from '../lib/listen-address.ts';
import { createLog, type Log } from '../lib/log.ts';
import { runUntilStopped } from '../lib/run-until-stopped.ts';
import { openAccessLog } from './access-log/access-log.ts';
import { createAskHead } from './answer/asking-head.ts';
import { createFetching } from './answer/fetching.ts';
import { createPassing } from './answer/passing.ts';
import { createReadyHits, type ReadyHits } from './answer/ready-hits.ts';
import { createServing } from './answer/serving.ts';
import { Fills } from './cache/fill.ts';
import { HitForMiss } from './cache/hit-for-miss.ts';
import { Store } from './cache/store.ts';
import { applyCommand } from './commands/apply-command.ts';
import { createDropping } from './commands/dropping.ts';
import { EXPLAIN_PATH, explainUrl } from './explain-url.ts';
import { headerOf } from './headers.ts';
import { createConnectionLimit } from './limits/connections.ts';
import { type OnLimit, readLimits } from './limits/limits.ts';
import { createRateWatch } from './limits/rate-watch.ts';
import { createHealth } from './listen/health.ts';
import { createHttpServer } from './listen/http-server.ts';
import { startListeners } from './listen/listeners.ts';
import { chooseSendFile } from './listen/send-file.ts';
import { startLoadReports } from './load/load-reports.ts';
import { countTraffic } from './load/traffic.ts';
import { createMetrics } from './metrics.ts';
import { createObserver } from './observer.ts';
import { type EdgeOptions, readOptions } from './options.ts';
import { createOrigin, DEFAULT_TIMEOUTS, type OriginTimeouts } from './origin/origin.ts';
import { createPipeline } from './pipeline.ts';
import { createPlans } from './plan/plans.ts';
import { createPrefetches } from './prefetch/prefetch.ts';
import { STEPS, type Step } from './steps.ts';
import { createUsageMeter } from './usage/meter.ts';
import { startUsage } from './usage/usage.ts';

/** What tests put in place of the real thing. */
export interface EdgeSurroundings {
  log?: Log;
  clock?: Clock;
  agent?: (options: AgentOptions<'edge'>) => Agent<'edge'>;
  timeouts?: OriginTimeouts;
  readyHits?: ReadyHits;
  steps?: readonly Step[];
}

export interface Edge {
  /** Who rotates the access log may say so; it is found out without, too. */
  reopenLogs(): void;
  /** Where it serves. */
  bound: ListenAddress[];
  admin: ListenAddress;
  stop(): Promise<void>;
}

export async function startEdge(
  options: EdgeOptions,
  {
    log = createLog('edge', { node: options.node }),
    clock = systemClock,
    agent: openAgent = createAgent,
    timeouts = DEFAULT_TIMEOUTS,
    readyHits: hitsOfTest,
    steps = STEPS,
  }: EdgeSurroundings = {},
): Promise<Edge> {
  const { node, state, memory: memoryBytes, disk: diskBytes } = options;
  const teller = { node, edgeId: `weir-${node}` };
  const metrics = createMetrics();

  const limits = readLimits(options.settings.limits);
  const onLimit: OnLimit = (limit) => metrics.limited.inc({ limit });
  const accessLog =
    options.settings.accessLog &&
    openAccessLog(options.settings.accessLog, {
      node,
      folder: state,
      clock,
      log,
      onDropped: (lines) => metrics.accessLogDropped.inc(lines),
    });
  const meter = createUsageMeter();
  const observer = createObserver({ metrics, meter, accessLog });

  const store = new Store({ folder: join(state, 'cache'), memoryBytes, diskBytes, clock, log, metrics });
  metrics.followStore(() => store.stats());
  const fills = new Fills(store, clock, log);
  const dropping = createDropping({ store, fills, log });

  const plans = createPlans({
    folder: state,
    clock,
    log,
    onChange(plan) {
      metrics.showPlan(plan);
      dropping.keepOnly(plan.byUid);
    },
  });
  const agent: Agent<'edge'> = openAgent({
    ...options,
    role: 'edge',
    folder: state,
    log,
    prepare: (published) => health.during(() => plans.prepare(published)),
    // A start waits for purges, not for prefetches.
    onCommand: (command) =>
      command.type === 'prefetch' ? apply(command) : health.during(() => apply(command)),
  });
  const health = createHealth({
    clock,
    hasPlan: () => plans.current() !== undefined,
    connected: () => agent.connected(),
  });

  const origin = createOrigin(clock, metrics, timeouts);
  const serving = createServing(store, clock, teller);
  const passing = createPassing({ teller, origin, invalidate: (scopes) => dropping.forget(scopes) });
  const hitForMiss = new HitForMiss(clock);
  const fetching = createFetching({
    fills,
    hitForMiss,
    serving,
    passing,
    origin,
    observer,
    waitersPerObject: limits.waitersPerObject,
    onLimit,
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
    askHead,
    clock,
  });
  const prefetches = createPrefetches({ pipeline, plans, clock, metrics, log });
  const usage = await startUsage({
    folder: state,
    meter,
    clock,
    log,
    report: (batches) => agent.report(batches),
    onDropped: (batches) => metrics.usageDropped.inc(batches),
  });
  const commandParts = { store, fills, dropping, plans, prefetches, usage, metrics, log };
  const apply = (command: Command) => applyCommand(command, commandParts);

  const readyHits = hitsOfTest ?? createReadyHits({ plans, store, clock, teller, steps });

  await plans.load();
  await agent.load();
  const rateWatch = createRateWatch(limits, clock, onLimit);
  const admit = createConnectionLimit(limits, onLimit);
  const sendFile = await chooseSendFile(options.sendfile, log);
  const listeners = await startListeners(options.listen, () =>
    createHttpServer({
      pipeline,
      readyHits,
      sendFile,
      limits,
      admit,
      rateWatch,
      onLimit,
      observer,
      metrics,
      log,
    }),
  );
  const admin = await startAdminServer({
    listen: options.admin,
    metrics: metrics.registry,
    notReady: () => health.reason(),
    questions: {
      [EXPLAIN_PATH]: (query) =>
        explainUrl(
          { teller, plans, store, clock },
          query.get('url') ?? '',
          query.getAll('header').flatMap(headerOf),
        ),
    },
  });
  const stopLoadReports = startLoadReports(
    clock,
    { traffic: () => countTraffic(metrics), connections: () => listeners.connections() },
    (load) => agent.report(load),
  );
  agent.connect();
  log.info({ listen: listeners.bound.map(formatListenAddress) }, 'serving');

  return {
    reopenLogs: () => accessLog?.reopen(),
    bound: listeners.bound,
    admin: { ...options.admin, port: boundPort(admin) },
    async stop() {
      stopLoadReports();
      health.drain();
      await listeners.drain();
      rateWatch.stop();
      prefetches.stop();
      await fills.stop();
      await agent.stop();
      await origin.close();
      plans.stop();
      await store.close();
      await usage.stop();
      await accessLog?.close();
      admin.close();
      admin.closeAllConnections();
      log.info('stopped');
    },
  };
}

if (import.meta.main) {
  const options = readOptions(process.argv);
  const log = createLog('edge', { node: options.node });
  await runUntilStopped(log, async () => {
    const edge = await startEdge(options, { log });
    // Node would begin to debug.
    process.on('SIGUSR1', () => edge.reopenLogs());
    return edge;
  });
}
