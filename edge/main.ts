/**
 * The edge: a caching reverse proxy that is told by the operator what to serve, and serves on without it.
 *
 *     state folder ─┐
 *     operator ─────┴─agent─> plan ─prepare─> plans ──┐
 *                           > secrets ─> certificates ┤
 *                           > command ─> dropping ────┤ store, fills
 *                                                     ▼
 *     clients ─────────────────────────────> serve (serve.ts) ─> clients
 *
 * It starts and serves with no operator: its plan and its cache lie in its state folder. One edge uses a folder. With
 * several workers (edge.workers) each of them serves, on the same folder, and this process does the rest
 * (workers/workers.ts).
 */
import { mkdir } from 'node:fs/promises';
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
import { Fills } from './cache/fill.ts';
import type { PurgeScope } from './cache/purge-scope.ts';
import { holdFolder } from './cache/shared-folder.ts';
import { Store } from './cache/store.ts';
import { applyCommand } from './commands/apply-command.ts';
import { createDropping } from './commands/dropping.ts';
import { EXPLAIN_PATH, explainUrl } from './explain-url.ts';
import { headerOf } from './headers.ts';
import { createHealth } from './listen/health.ts';
import type { ServingAddress } from './listen/listeners.ts';
import { startLoadReports } from './load/load-reports.ts';
import { countTraffic } from './load/traffic.ts';
import { createMetrics } from './metrics.ts';
import { type EdgeOptions, readOptions } from './options.ts';
import type { OriginTimeouts } from './origin/origin.ts';
import { createPlans } from './plan/plans.ts';
import { diskQuotas } from './plan/quotas.ts';
import { createPrefetches } from './prefetch/prefetch.ts';
import { serve } from './serve.ts';
import { STEPS, type Step } from './steps.ts';
import { Certificates } from './tls/certificates.ts';
import { openTicketKeys } from './tls/ticket-key.ts';
import { createUsageMeter } from './usage/meter.ts';
import { startUsage } from './usage/usage.ts';
import { summedMetrics } from './workers/summed-metrics.ts';
import { Workers } from './workers/workers.ts';

/** What tests put in place of the real thing. */
export interface EdgeSurroundings {
  log?: Log;
  clock?: Clock;
  agent?: (options: AgentOptions<'edge'>) => Agent<'edge'>;
  timeouts?: OriginTimeouts;
  fastPaths?: boolean;
  steps?: readonly Step[];
}

export interface Edge {
  /** Who rotates the access log may say so; it is found out without, too. */
  reopenLogs(): void;
  /** Where it serves. */
  bound: ServingAddress[];
  admin: ListenAddress;
  /** Says that it leaves, and serves on for as long as `--drain` says. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

export async function startEdge(
  options: EdgeOptions,
  {
    log = createLog('edge', { node: options.node }),
    clock = systemClock,
    agent: openAgent = createAgent,
    timeouts,
    fastPaths,
    steps = STEPS,
  }: EdgeSurroundings = {},
): Promise<Edge> {
  const { node, state, memory: memoryBytes, disk: diskBytes, settings } = options;
  const teller = { node, edgeId: `weir-${node}` };
  const metrics = createMetrics();
  const isShared = settings.edge.workers > 1;

  const meter = createUsageMeter();
  const folder = join(state, 'cache');
  await mkdir(folder, { recursive: true });
  const letGo = holdFolder(folder);
  const share = isShared ? 'owner' : undefined;
  const { admission, quotas } = settings.edge.disk;
  const store = new Store({
    folder,
    // With workers no client is served from here.
    memoryBytes: isShared ? Math.min(memoryBytes, 2 ** 20) : memoryBytes,
    diskBytes,
    admission,
    clock,
    log,
    metrics,
    share,
  });
  metrics.followStore(() => store.stats());
  const fills = new Fills(store, clock, log);
  const certificates = new Certificates(log);
  const workers = isShared
    ? new Workers({
        options,
        store,
        log,
        certificates,
        health: () => health.reason(),
        invalidate: (scopes) => dropping.drop(scopes),
        onUsage: (rows) => meter.add(rows),
      })
    : undefined;
  const dropping = createDropping({ store, fills, workers, clock, log });

  const plans = createPlans({
    folder: state,
    clock,
    log,
    workers,
    onChange(plan) {
      metrics.showPlan(plan);
      store.limitDomains(diskQuotas(quotas, plan, diskBytes));
      dropping.keepOnly(plan.byUid);
    },
  });
  const ticketKeys = await openTicketKeys(settings.edge.keys === 'memory' ? undefined : state, {
    clock,
    log,
    onChange: (key) => (workers ?? served).useTicketKey(key),
  });
  const agent: Agent<'edge'> = openAgent({
    ...options,
    role: 'edge',
    folder: state,
    log,
    secretsInMemory: settings.edge.keys === 'memory',
    secretsLingerMs: () => plans.lingerMs(),
    onSecrets(secrets) {
      const changes = certificates.take(secrets);
      workers?.useCertificates(changes);
    },
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

  const invalidate = (scopes: readonly PurgeScope[]) => dropping.forget(scopes);
  const parts = {
    settings,
    state,
    teller,
    plans,
    certificates,
    ticketKey: ticketKeys.current(),
    health,
    store,
    fills,
    invalidate,
    metrics,
    meter,
    clock,
    log,
  };
  const served = serve({ ...parts, timeouts, steps, fastPaths });
  const { pipeline } = served;
  const prefetches = createPrefetches({ pipeline, plans, clock, metrics, log });
  const usage = await startUsage({
    folder: state,
    meter,
    clock,
    log,
    report: (batches) => agent.report(batches),
    onDropped: (batches) => metrics.usageDropped.inc(batches),
  });
  const commandParts = { store, fills, dropping, plans, prefetches, usage, workers, metrics, log };
  const apply = (command: Command) => applyCommand(command, commandParts);

  await plans.load();
  await agent.load();
  const addresses = [
    ...options.listen.map((address) => ({ ...address, secure: false })),
    ...options.listenTls.map((address) => ({ ...address, secure: true })),
  ];
  const listeners = workers
    ? await workers.listen(addresses, ticketKeys.current())
    : await served.listen(addresses, { shared: false });
  const summed = workers && summedMetrics(metrics.registry, () => workers.figures());
  const admin = await startAdminServer({
    listen: options.admin,
    metrics: summed ?? metrics.registry,
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
    {
      traffic: () => summed?.traffic() ?? countTraffic(metrics),
      connections: () => listeners.connections(),
      ...(workers && { threads: () => workers.threads() }),
    },
    (load) => agent.report(load),
  );
  agent.connect();
  log.info({ listen: listeners.bound.map(formatListenAddress) }, 'serving');

  return {
    reopenLogs: () => served.reopenLogs(),
    bound: listeners.bound,
    admin: { ...options.admin, port: boundPort(admin) },
    async drain() {
      health.drain();
      if (options.drain === 0) return;
      log.info({ ms: options.drain }, 'leaving: serving on until resolvers have forgotten this edge');
      await new Promise<void>((resolve) => void clock.after(options.drain, resolve));
    },
    async stop() {
      stopLoadReports();
      health.drain();
      await listeners.drain();
      prefetches.stop();
      await served.stop();
      await agent.stop();
      plans.stop();
      ticketKeys.stop();
      await store.close();
      await usage.stop();
      letGo();
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
