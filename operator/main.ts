#!/usr/bin/env node
/**
 * One replica of the operator, in the order in which things start and hand on:
 *
 *     backing: a folder and a state folder, or a Kubernetes API (and there one replica leads)
 *     agents ──streams, reports──> stream server ──> sessions, which follow the leader:
 *         this replica stands by: they are answered with the leader's address
 *         this replica leads: sessions ──> switchboard ──> reconciler (lead.ts)
 *     backing's secrets ──> sessions, whoever leads
 */
import { Command, Option } from 'commander';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { stateFolder } from '../contract/state-folder.ts';
import { role } from '../contract/stream/messages.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import {
  formatListenAddress,
  isLoopback,
  type ListenAddress,
  parseListenAddress,
} from '../lib/listen-address.ts';
import { createLog, type Log } from '../lib/log.ts';
import { type Running, runUntilStopped } from '../lib/run-until-stopped.ts';
import { type Leader, lead } from './lead.ts';
import { loadBook } from './publish/load-book.ts';
import { operatorMetrics } from './publish/metrics.ts';
import { Sessions } from './publish/sessions.ts';
import { StreamServer } from './publish/stream-server.ts';
import { readOrMakeToken } from './publish/token-file.ts';
import { turnAway } from './relay/relay.ts';
import type { Switchboard } from './relay/switchboard.ts';
import { secretsFor } from './secrets/agent-secrets.ts';
import { folderBacking } from './source/folder/folder-backing.ts';
import { kubernetesBacking } from './source/kubernetes/kubernetes-backing.ts';
import { elsewhere, type Post, refusing, starting } from './stand-by.ts';

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
  /** The URL at which agents and people reach this replica; by default where it listens, unless that is every address. */
  advertise?: string;
}

export type OperatorOptions = FolderOptions | KubernetesOptions;

export interface Operator extends Running {
  address: ListenAddress;
}

export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const { clock = systemClock, log = createLog('operator') } = options;
  refuseOpenAddress(options.listen);
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const state = stateFolder(options.state);
  const token = await readOrMakeToken(state.token);

  const backing =
    'folder' in options
      ? await folderBacking({ folder: options.folder, state: options.state, clock, log })
      : await kubernetesBacking({
          kubeconfig: options.kubeconfig,
          config: options.config,
          advertise: options.advertise ?? urlOf(options.listen),
          metrics,
          clock,
          log,
        });
  const { election } = backing;
  const sessions = new Sessions(clock);
  const refusal = election ? () => elsewhere(election) : starting;
  sessions.follow(turnAway(sessions, refusal));
  let post: Post = refusing(refusal);
  let leader: Leader | undefined;
  const server = new StreamServer({
    listen: options.listen,
    token,
    sessions,
    views: () => post.views,
    metrics,
    notReady: () => post.notReady(),
    clock,
    log,
  });
  const address = await server.start();
  const stopSecrets = backing.secrets.follow((values) => {
    for (const to of role.options) sessions.secrets(to, secretsFor(to, values));
  });

  const takeTheLead = async () => {
    post = refusing(starting);
    sessions.follow(turnAway(sessions, starting));
    const onOpen = (switchboard: Switchboard) => sessions.follow(switchboard.attach(sessions));
    const loads = loadBook(metrics, clock);
    leader = await lead({ backing, loads, onOpen, clock, log });
    operatorMetrics(metrics, leader.reconciler);
    post = leader;
  };
  const leading = (election?.led ?? Promise.resolve()).then(takeTheLead);
  // Alone, it is up when it leads; among others it may be long before it does.
  if (!election) await leading;
  log.info({ listen: formatListenAddress(address), state: options.state }, 'operator is up');

  return {
    address,
    failed: Promise.race([failureOf(leading), ...(election ? [election.lost] : [])]),
    async stop() {
      await server.stop();
      await stopSecrets();
      await leader?.stop();
      await backing.stop();
    },
  };
}

const failureOf = (work: Promise<unknown>) =>
  new Promise<Error>((resolve) => {
    work.catch((error: unknown) => resolve(error instanceof Error ? error : new Error(String(error))));
  });

/** Where a replica is reached that listens at one address. */
function urlOf({ host, port }: ListenAddress): string | undefined {
  const everywhere = host === '0.0.0.0' || host === '::';
  return everywhere || port === 0 ? undefined : `http://${formatListenAddress({ host, port })}`;
}

/** An address to which paths are appended. */
function baseUrl(text: string): string | undefined {
  const url = URL.parse(text);
  const plain = url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '';
  return plain ? url.origin : undefined;
}

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
    .option(
      '--advertise <url>',
      'kubernetes: where this replica is reached while it leads; by default where it listens',
    )
    .option('--listen <address>', 'address and port of the plan stream; loopback only', '127.0.0.1:8700')
    .addHelpText('after', '\nExample:\n  node operator/main.ts --folder examples/quickstart --state .weir\n');
  const flags = program.parse().opts<Flags>();
  const usage = (message: string) => program.error(message, { exitCode: 2 });
  const listen =
    parseListenAddress(flags.listen) ?? usage(`--listen ${flags.listen}: an IP address and a port`);
  const { state, folder, config, kubeconfig, advertise } = flags;
  const options: OperatorOptions =
    flags.source === 'folder'
      ? { state, listen, folder: folder ?? usage('--folder is needed with --source folder') }
      : {
          state,
          listen,
          config: config ?? usage('--config is needed with --source kubernetes'),
          ...(kubeconfig !== undefined && { kubeconfig }),
          ...(advertise !== undefined && {
            advertise:
              baseUrl(advertise) ?? usage(`--advertise ${advertise}: an http or https URL without a path`),
          }),
        };
  await runUntilStopped(createLog('operator'), () => startOperator(options));
}

interface Flags {
  source: 'folder' | 'kubernetes';
  folder?: string;
  config?: string;
  kubeconfig?: string;
  advertise?: string;
  state: string;
  listen: string;
}
