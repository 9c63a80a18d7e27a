#!/usr/bin/env node
/**
 * The operator, in the order in which things start and hand on:
 *
 *     state folder ──> memory (accepted forms, statuses, epoch + 1)
 *     folder source ──loaded──> reconciler: admit ─> compile ─> publish ─> decide ─> status
 *     stream server <──plans, tables, commands── reconciler
 *     stream server ──connect, disconnect, report──> reconciler
 *     clock ──tick──> reconciler
 */
import { mkdir } from 'node:fs/promises';
import { Command } from 'commander';
import { Registry } from 'prom-client';
import type { ObjectRef } from '../contract/kinds/metadata.ts';
import { type StateFolder, stateFolder } from '../contract/state-folder.ts';
import { removeFile } from '../lib/atomic-file.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import {
  formatListenAddress,
  isLoopback,
  type ListenAddress,
  parseListenAddress,
} from '../lib/listen-address.ts';
import { createLog, type Log } from '../lib/log.ts';
import { runUntilStopped } from '../lib/run-until-stopped.ts';
import { agentEvents } from './publish/agent-events.ts';
import { epochFile } from './publish/epoch-file.ts';
import { operatorMetrics } from './publish/metrics.ts';
import { StreamServer } from './publish/stream-server.ts';
import { readOrMakeToken } from './publish/token-file.ts';
import { notReadyReason, Reconciler } from './reconcile.ts';
import { acceptedFiles } from './source/folder/accepted-files.ts';
import { folderSource } from './source/folder/folder-source.ts';
import { statusFiles } from './status/status-files.ts';

/** Deadlines, retries and times to live are looked at this often. */
const TICK_MS = 1_000;

export interface OperatorOptions {
  folder: string;
  state: string;
  listen: ListenAddress;
  clock?: Clock;
  log?: Log;
}

export interface Operator {
  address: ListenAddress;
  stop(): Promise<void>;
}

export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const { folder, clock = systemClock, log = createLog('operator') } = options;
  refuseOpenAddress(options.listen);
  const state = stateFolder(options.state);
  await mkdir(state.jobs, { recursive: true });
  const token = await readOrMakeToken(state.token);

  const reconciler = await Reconciler.open({
    stores: {
      accepted: acceptedFiles(state, log),
      status: statusFiles(state, log),
      epoch: epochFile(state.epoch),
    },
    outbox: {
      plan: (role, plan) => server.offerPlan(role, plan),
      table: (table) => server.send('dns-server', { type: 'table', table }),
      command: (node, command) => server.send('edge', { type: 'command', command }, node),
      dismiss: (node) => server.end('edge', node),
      expire: (ref) => void removeOwnJob(state, ref, log),
    },
    clock,
    log,
  });
  const metrics = new Registry();
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
  const source = folderSource({ folder, jobs: state.jobs, clock, log });

  source.start((loaded) => void reconciler.loaded(loaded));
  const address = await server.start();
  const stopTicking = clock.every(TICK_MS, () => reconciler.event({ type: 'tick' }));
  log.info({ folder, state: state.root, listen: formatListenAddress(address) }, 'operator is up');

  return {
    address,
    async stop() {
      stopTicking();
      await source.stop();
      await server.stop();
      await reconciler.idle();
    },
  };
}

/** Tokens travel in the clear until there is TLS. */
function refuseOpenAddress(listen: ListenAddress): void {
  if (isLoopback(listen.host)) return;
  throw new Error(
    `listen address ${formatListenAddress(listen)}: only loopback (127.0.0.0/8, ::1) until the stream has TLS`,
  );
}

/** A job that `weir purge` made lies in a file of its own name; one in the user's folder is not ours to remove. */
async function removeOwnJob(state: StateFolder, { namespace, name }: ObjectRef, log: Log): Promise<void> {
  try {
    await removeFile(state.jobFile(namespace, name));
  } catch (error) {
    log.warn({ err: error, name }, 'a finished job is not removed');
  }
}

if (import.meta.main) {
  const program = new Command('weir-operator')
    .description('Reconciles a folder of manifests, and serves plans to dns-servers and edges.')
    .requiredOption('--folder <dir>', 'the folder of manifests, with weir.yaml at its root')
    .requiredOption('--state <dir>', 'where what must survive is kept')
    .option('--listen <address>', 'address and port of the plan stream; loopback only', '127.0.0.1:8700')
    .addHelpText('after', '\nExample:\n  node operator/main.ts --folder examples/quickstart --state .weir\n');
  const { folder, state, listen } = program.parse().opts<{ folder: string; state: string; listen: string }>();
  const address =
    parseListenAddress(listen) ??
    program.error(`--listen ${listen}: an IP address and a port`, { exitCode: 2 });
  await runUntilStopped(createLog('operator'), () => startOperator({ folder, state, listen: address }));
}
