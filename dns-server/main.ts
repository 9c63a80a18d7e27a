/**
 * The dns-server: answers for the zones from a plan, a node table and its own probes.
 *
 *     state folder ─┐
 *     operator ─────┴─agent─> plan ─prepare─┐
 *                           > node table ───┼─> view ─┐
 *     probes ─> judgement ──> health ───────┘         ├─ respond ─> UDP, TCP, TLS, HTTPS
 *     geo files ────────────> tables ─────────────────┘          └ prepared answers ─> UDP in batches, by threads
 *
 * It starts and answers with no operator: what it answers from lies in its state folder. It listens once what was on
 * disk is in force and the first round of probes has ended.
 */
import './listen/compiler.ts';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { createAgent } from '../agent/create-agent.ts';
import { AGENT_FILES } from '../contract/state-folder.ts';
import { startAdminServer } from '../lib/admin-server.ts';
import { boundPort } from '../lib/bound-port.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { formatListenAddress, type ListenAddress } from '../lib/listen-address.ts';
import { createLog, type Log } from '../lib/log.ts';
import { runUntilStopped } from '../lib/run-until-stopped.ts';
import { readSecrets } from './dnssec/read-secrets.ts';
import { compiledPlaces } from './geo/compile.ts';
import { embeddedAsnTables, embeddedGeoDatabases } from './geo/embedded-data.ts';
import { geoDatabase } from './geo/geo-database.ts';
import { geoRulesOf } from './geo/geo-sources.ts';
import { compileInThread, GeoTables } from './geo/geo-tables.ts';
import { remembering } from './geo/table-cache.ts';
import { keepHealthNotes } from './health/health-notes.ts';
import { Judgement } from './health/judgement.ts';
import { probe } from './health/probe.ts';
import { followProbeTrust } from './health/probe-trust.ts';
import { Prober } from './health/prober.ts';
import { chooseUdp } from './listen/choose-udp.ts';
import { startEncrypted } from './listen/encrypted.ts';
import { startListeners } from './listen/listeners.ts';
import { DnsMetrics } from './metrics.ts';
import { type DnsServerOptions, readOptions } from './options.ts';
import { keepLowerSince } from './plan/merge.ts';
import { preparePlan } from './plan/prepare.ts';
import type { PreparedPlan } from './plan/prepared-plan.ts';
import { readiness } from './readiness.ts';
import { Service } from './service.ts';

/** Compiled geo tables, in the server's own folder. */
const GEO_FILE = 'geo-tables.bin';

export interface DnsServer {
  /** Where it answers, UDP and TCP. */
  bound: ListenAddress[];
  encrypted: { dot: ListenAddress[]; doh: ListenAddress[] };
  admin: ListenAddress;
  stop(): Promise<void>;
}

export async function startDnsServer(
  options: DnsServerOptions,
  {
    log = createLog('dns-server', { server: options.name }),
    clock = systemClock,
  }: { log?: Log; clock?: Clock } = {},
): Promise<DnsServer> {
  // Whatever is started is stopped again, last first, be it by `stop` or because a later step failed.
  await using starting = new AsyncDisposableStack();
  starting.defer(() => log.info('stopped'));
  const metrics = new DnsMetrics();
  const geo = new GeoTables({
    files: {
      databases: options.geoDatabase ?? embeddedGeoDatabases(),
      asn: options.geoAsn ?? embeddedAsnTables(),
      networks: options.geoNetworks ?? [],
    },
    clock,
    log,
    onCompiled: (outcome) => metrics.geoCompiled(outcome),
    compile: remembering(join(options.state, GEO_FILE), compileInThread, log),
  });
  const service = new Service({ name: options.name, geo: geoDatabase([]), metrics, log, clock });
  starting.defer(() => service.stop());

  const trust = options.probeCa ? await followProbeTrust(options.probeCa, clock, log) : undefined;
  starting.defer(() => trust?.stop());
  const prober = new Prober({
    clock,
    probe: (target, signal) => probe({ ...target, trust: trust?.current() }, signal),
    onProbe: (node, ok) => metrics.probed(node, ok),
    onTurn: (turn) => {
      if (turn.healthy) log.info(turn, 'an address is up again');
      else log.warn(turn, 'an address is down');
    },
    onChange: () => judgement.probed(prober.health()),
    onTurnTime: () => judgement.probed(prober.health()),
  });
  const judgement = new Judgement({
    self: options.name,
    clock,
    log,
    connected: () => agent.connected(),
    onHealth: (nodes) => service.useHealth(nodes),
    onVote: (nodes) => notes.changed(nodes),
    onMassDown: (held) => metrics.massDown(held),
  });
  starting.defer(() => judgement.stop());
  let prepared: PreparedPlan | undefined;
  const agent = createAgent({
    ...options,
    role: 'dns-server',
    node: options.name,
    folder: options.state,
    log,
    merge: keepLowerSince,
    prepare: async (published) => {
      const plan = preparePlan(published, prepared);
      prepared = plan;
      plan.regions.places = compiledPlaces(await geo.for(geoRulesOf(published.plan)));
      return () => {
        service.usePlan(plan);
        judgement.follow(published.plan.nodes);
        prober.follow(published.plan.nodes);
      };
    },
    onTable: (table) => {
      service.useTable(table);
      judgement.useTable(table);
    },
    onSecrets: (values) => {
      try {
        service.useSecrets(readSecrets(values));
      } catch (error) {
        log.error({ err: error }, 'secrets that cannot be read; those held are used on');
      }
    },
  });
  const notes = keepHealthNotes({
    file: join(options.state, AGENT_FILES.health),
    clock,
    log,
    report: (report) => agent.report(report),
  });
  geo.follow(
    () => service.geoRules(),
    (compiled) => service.usePlaces(compiledPlaces(compiled)),
  );
  starting.defer(() => geo.stop());
  starting.defer(() => notes.stop());
  starting.defer(() => prober.stop());
  starting.defer(() => agent.stop());

  await agent.load();
  await prober.firstRound();
  const udp = await chooseUdp(
    {
      mode: options.batch ?? 'auto',
      workers: options.workers,
      prepared: service.prepared,
      limits: service.limits,
      onShed: (queries) => metrics.shed(queries),
    },
    log,
  );
  const connections = {
    onRefused: () => metrics.connectionRefused(),
    onEvicted: () => metrics.connectionEvicted(),
  };
  const listeners = await startListeners(options.listen, service.handle, log, udp, connections);
  starting.defer(() => listeners.stop());
  const encrypted =
    options.tlsCertificate && options.tlsKey
      ? await startEncrypted(
          {
            files: { certificate: options.tlsCertificate, key: options.tlsKey },
            dot: options.dot ?? [],
            doh: options.doh ?? [],
          },
          service.handle,
          { clock, log, ...connections },
        )
      : undefined;
  starting.defer(() => encrypted?.stop());
  const admin = await startAdminServer({
    listen: options.admin,
    metrics: metrics.registry,
    notReady: readiness(agent, clock),
  });
  starting.defer(() => closeServer(admin));
  agent.connect();
  log.info({ listen: listeners.bound.map(formatListenAddress) }, 'answering');

  const running = starting.move();
  return {
    bound: listeners.bound,
    encrypted: { dot: encrypted?.dot ?? [], doh: encrypted?.doh ?? [] },
    admin: { ...options.admin, port: boundPort(admin) },
    stop: () => running.disposeAsync(),
  };
}

function closeServer(server: Server): void {
  server.close();
  server.closeAllConnections();
}

if (import.meta.main) {
  const options = readOptions(process.argv);
  const log = createLog('dns-server', { server: options.name });
  await runUntilStopped(log, () => startDnsServer(options, { log }));
}
