#!/usr/bin/env node
/**
 * The operator, in the order in which things start and hand on:
 *
 *     backing: a folder and a state folder, or a Kubernetes API (and there, wait until this replica leads)
 *     backing's stores ──> memory (accepted forms, statuses, epoch + 1)
 *     backing's source ──loaded──> reconciler: admit ─> compile ─> publish ─> decide ─> status ──> backing's stores
 *     stream server <──plans, tables, commands── reconciler
 *     stream server ──connect, disconnect, report──> reconciler
 *     clock ──tick──> reconciler
 *     zones' keys in the state folder <── keepKeys <── plan, clock
 */
import { Command, Option } from 'commander';
import { Registry } from 'prom-client';
import { stateFolder } from '../contract/state-folder.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import {
  formatListenAddress,
  isLoopback,
  type ListenAddress,
  parseListenAddress,
} from '../lib/listen-address.ts';
import { createLog, type Log } from '../lib/log.ts';
import { type Running, runUntilStopped } from '../lib/run-until-stopped.ts';
import { keepKeys } from './dnssec/keep-keys.ts';
import { keyFiles, makeCookieSecret } from './dnssec/key-files.ts';
import { askForDs, parentResolver } from './dnssec/parent-ds.ts';
import { agentEvents } from './publish/agent-events.ts';
import { operatorMetrics } from './publish/metrics.ts';
import { StreamServer } from './publish/stream-server.ts';
import { readOrMakeToken } from './publish/token-file.ts';
import { notReadyReason, Reconciler } from './reconcile.ts';
import { folderBacking } from './source/folder/folder-backing.ts';
import { kubernetesBacking } from './source/kubernetes/kubernetes-backing.ts';
import { standBy } from './stand-by.ts';

/** Deadlines, retries and times to live are looked at this often. */
const TICK_MS = 1_000;
/** What is not written within this when the operator stops is the next one's to write. */
const WRITE_OUT_MS = 3_000;

interface CommonOptions {
  /** What must survive; where a Kubernetes API holds that, the token and keys that it does not hold. */
  state: string;
  listen: ListenAddress;
  clock?: Clock;
  log?: Log;
}

interface FolderOptions extends CommonOptions {
  folder: string;
}

interface KubernetesOptions extends CommonOptions {
  /** The path of weir.yaml. */
  config: string;
  kubeconfig?: string;
}

export type OperatorOptions = FolderOptions | KubernetesOptions;

export interface Operator extends Running {
  address: ListenAddress;
}

export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const { clock = systemClock, log = createLog('operator') } = options;
  refuseOpenAddress(options.listen);
  const metrics = new Registry();
  const state = stateFolder(options.state);
  const token = await readOrMakeToken(state.token);

  const backing =
    'folder' in options
      ? await folderBacking({ folder: options.folder, state: options.state, clock, log })
      : await kubernetesBacking({
          kubeconfig: options.kubeconfig,
          config: options.config,
          metrics,
          clock,
          log,
        });
  const { source, stores, election } = backing;
  if (election) await standBy(election, options.listen, metrics);

  const reconciler = await Reconciler.open({
    stores,
    outbox: {
      plan: (role, plan) => server.offerPlan(role, plan),
      table: (table) => server.send('dns-server', { type: 'table', table }),
      command: (node, command) => server.send('edge', { type: 'command', command }, node),
      dismiss: (node) => server.end('edge', node),
      expire: (ref, uid) => backing.expire(ref, uid),
    },
    clock,
    log,
  });
  operatorMetrics(metrics, reconciler);
  const server: StreamServer = new StreamServer({
    listen: options.listen,
    token,
    events: agentEvents(reconciler),
    metrics,
    notReady: () => notReadyReason(reconciler),
    clock,
    log,
  });

  source.start((loaded) => void reconciler.loaded(loaded));
  const address = await server.start();
  await makeCookieSecret(state);
  const stopKeys = keepKeys({
    store: keyFiles(state),
    plan: () => reconciler.routing()?.published.plan,
    askForDs: (zone) => askForDs(zone, parentResolver(reconciler.admission()?.config?.dnssec.resolver)),
    clock,
    log,
  });
  const stopTicking = clock.every(TICK_MS, () => reconciler.event({ type: 'tick' }));
  log.info({ listen: formatListenAddress(address), state: options.state }, 'operator is up');

  return {
    address,
    ...(election && { failed: election.lost }),
    async stop() {
      stopTicking();
      await stopKeys();
      await source.stop();
      await server.stop();
      await Promise.race([reconciler.idle(), pause(clock, WRITE_OUT_MS)]);
      await backing.stop();
    },
  };
}

const pause = (clock: Clock, ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));

/** Tokens travel in the clear until there is TLS. */
function refuseOpenAddress(listen: ListenAddress): void {
  if (isLoopback(listen.host)) return;
  throw new Error(
    `listen address ${formatListenAddress(listen)}: only loopback (127.0.0.0/8, ::1) until the stream has TLS`,
  );
}

if (import.meta.main) {
  const program = new Command('weir-operator')
    .description('Reconciles manifests, and serves plans to dns-servers and edges.')
    .addOption(
      new Option('--source <source>', 'where manifests come from')
        .choices(['folder', 'kubernetes'])
        .default('folder'),
    )
    .option('--folder <dir>', 'folder: the manifests, with weir.yaml at the root')
    .option('--config <file>', 'kubernetes: weir.yaml')
    .option(
      '--kubeconfig <file>',
      'kubernetes: whom to speak to; by default as kubectl, or as the pod that this is',
    )
    .requiredOption(
      '--state <dir>',
      'folder: where what must survive is kept; kubernetes: where the agents’ token and keys lie',
    )
    .option('--listen <address>', 'address and port of the plan stream; loopback only', '127.0.0.1:8700')
    .addHelpText('after', '\nExample:\n  node operator/main.ts --folder examples/quickstart --state .weir\n');
  const flags = program.parse().opts<Flags>();
  const usage = (message: string) => program.error(message, { exitCode: 2 });
  const listen =
    parseListenAddress(flags.listen) ?? usage(`--listen ${flags.listen}: an IP address and a port`);
  const { state, folder, config, kubeconfig } = flags;
  const options: OperatorOptions =
    flags.source === 'folder'
      ? { state, listen, folder: folder ?? usage('--folder is needed with --source folder') }
      : {
          state,
          listen,
          config: config ?? usage('--config is needed with --source kubernetes'),
          ...(kubeconfig !== undefined && { kubeconfig }),
        };
  await runUntilStopped(createLog('operator'), () => startOperator(options));
}

interface Flags {
  source: 'folder' | 'kubernetes';
  folder?: string;
  config?: string;
  kubeconfig?: string;
  state: string;
  listen: string;
}
