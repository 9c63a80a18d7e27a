#!/usr/bin/env node
/**
 * One replica of the operator, in the order in which things start and hand on:
 *
 *     backing: a folder and a state folder, or a Kubernetes API (and there one replica leads)
 *     backing's trust stores ──> trust: CA, the port's certificate, who may come in
 *     agents ──streams, reports──> stream server ──> sessions, which follow the leader:
 *         this replica leads:      sessions <──> switchboard <──> reconciler (lead.ts)
 *         another does:            sessions <──> Redis <──> that one's switchboard
 *                                  or, without Redis, they are answered with that one's address
 *     backing's secrets and vault of certificates ──> sessions, whoever leads
 */
import { Registry } from 'prom-client';
import { stateFolder } from '../contract/state-folder.ts';
import type { AgentSecret } from '../contract/stream/agent-secret.ts';
import { startAdminServer } from '../lib/admin-server.ts';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { formatListenAddress, type ListenAddress } from '../lib/listen-address.ts';
import { createLog, type Log } from '../lib/log.ts';
import { type Running, runUntilStopped } from '../lib/run-until-stopped.ts';
import type { Backing } from './backing.ts';
import { certificateSecrets } from './certificates/vault.ts';
import { type Leader, lead } from './lead.ts';
import { type OperatorOptions, readOptions } from './options.ts';
import { loadBook } from './publish/load-book.ts';
import { operatorMetrics, replicaMetrics } from './publish/metrics.ts';
import { Sessions } from './publish/sessions.ts';
import { StreamServer } from './publish/stream-server.ts';
import { readOrMakeToken } from './publish/token-file.ts';
import { usageBook } from './publish/usage-book.ts';
import type { Reconciler } from './reconcile.ts';
import { redisAccess } from './relay/redis/access.ts';
import { redisNews } from './relay/redis/news.ts';
import { redisRelay } from './relay/redis/redis-relay.ts';
import { turnAway } from './relay/relay.ts';
import type { Switchboard } from './relay/switchboard.ts';
import { secretsFor } from './secrets/agent-secrets.ts';
import { folderBacking } from './source/folder/folder-backing.ts';
import { kubernetesBacking } from './source/kubernetes/kubernetes-backing.ts';
import { beforeReading, elsewhere, type Post, refusing, relaying } from './stand-by.ts';
import { trustMetrics } from './trust/metrics.ts';
import type { ToldPolicy } from './trust/policy.ts';
import { serverNames } from './trust/server-certificate.ts';
import { Trust } from './trust/trust.ts';

export interface Operator extends Running {
  address: ListenAddress;
}

export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const { clock = systemClock, timeOfDay = systemClock, log = createLog('operator') } = options;
  // Whatever is started is stopped again, last first, be it by `stop` or because a later step failed.
  await using starting = new AsyncDisposableStack();
  const metrics = new Registry();
  const state = stateFolder(options.state);
  const token = await readOrMakeToken(state.token);

  const advertised = 'folder' in options ? undefined : (options.advertise ?? urlOf(options.listen));
  const backing = await openBacking(options, { advertise: advertised, metrics, clock, log });
  starting.defer(() => backing.stop());
  const { election } = backing;
  let leader: Leader | undefined;
  starting.defer(() => leader?.stop());

  const sessions = new Sessions(clock);
  replicaMetrics(metrics, sessions);
  const refusal = election ? () => elsewhere(election) : beforeReading;
  const access = 'config' in options ? await redisAccess(options.config, process.env) : undefined;
  const onPolicy = () => server.enforce();
  const relay = access && redisRelay({ access, sessions, elsewhere: refusal, onPolicy, metrics, clock, log });
  starting.defer(() => relay?.stop());
  sessions.follow(relay?.uplink ?? turnAway(sessions, refusal));
  let post: Post = relay ? relaying(relay, refusal) : refusing(refusal);

  const trust = await Trust.open({
    stores: backing.trust,
    review: backing.reviewToken,
    machineToken: token,
    names: serverNames(options.listen.host, [...(options.serverNames ?? []), ...hostsOf(advertised)]),
    policy: () => post.policy(),
    leads: () => election?.leads() ?? true,
    clock: timeOfDay,
    log,
  });
  starting.defer(() => trust.stop());
  trustMetrics(metrics, trust);
  await tellBundle(trust, state.bundle, backing, log);

  const notReady = () => post.notReady();
  const server: StreamServer = new StreamServer({
    listen: options.listen,
    token,
    trust,
    adminElsewhere: options.admin !== undefined,
    sessions,
    views: () => post.views,
    metrics,
    notReady,
    remark: () => relay?.trouble(),
    clock,
    log,
  });
  const address = await server.start();
  starting.defer(() => server.stop());
  const admin = options.admin && (await startAdminServer({ listen: options.admin, metrics, notReady }));
  starting.defer(() => {
    admin?.close();
    admin?.closeAllConnections();
  });
  starting.defer(followSecrets(backing, sessions));

  const takeTheLead = async () => {
    post = refusing(beforeReading);
    sessions.follow(turnAway(sessions, beforeReading));
    const onOpen = (switchboard: Switchboard, reconciler: Reconciler) => {
      sessions.follow(switchboard.attach(sessions));
      relay?.lead({
        switchboard,
        epoch: () => reconciler.epoch,
        onOutranked: (epoch) => void outranked(reconciler, epoch, log),
        onTrouble: (reason) => backing.announce?.(redisNews(reason)),
      });
    };
    const onPolicyHere = (policy: ToldPolicy | undefined) => {
      server.enforce();
      relay?.policyIs(policy);
    };
    const loads = loadBook(metrics, clock);
    const usage = usageBook(metrics);
    const { acme } = options;
    leader = await lead({ backing, loads, usage, onOpen, onPolicy: onPolicyHere, acme, clock, log });
    operatorMetrics(metrics, leader.reconciler);
    post = leader;
  };
  const leading = (election?.led ?? Promise.resolve()).then(takeTheLead);
  // Alone, it is up when it leads; among others it may be long before it does.
  if (!election) await leading;
  log.info({ listen: formatListenAddress(address), state: options.state }, 'operator is up');

  const running = starting.move();
  return {
    address,
    failed: Promise.race([failureOf(leading), ...(election ? [election.lost] : [])]),
    stop: () => running.disposeAsync(),
  };
}

interface BackingParts {
  advertise: string | undefined;
  metrics: Registry;
  clock: Clock;
  log: Log;
}

function openBacking(options: OperatorOptions, parts: BackingParts): Promise<Backing> {
  if ('folder' in options) {
    const { folder, state } = options;
    const { clock, log } = parts;
    return folderBacking({ folder, state, clock, log });
  }
  const { kubeconfig, config, namespaces } = options;
  return kubernetesBacking({ kubeconfig, config, namespaces, ...parts });
}

/** What agents need and plans only name, from where it is kept to their streams. Ends by what it returns. */
function followSecrets({ secrets, stores }: Backing, sessions: Sessions): () => Promise<void> {
  const stopSecrets = secrets.follow((values) => sessions.secrets(secretsFor('dns-server', values)));
  let certificates: ReadonlyMap<string, AgentSecret> = new Map();
  const stopVault = stores.vault.follow((values) => {
    certificates = certificateSecrets(values, certificates);
    sessions.certificates(certificates);
  });
  return async () => {
    await stopSecrets();
    await stopVault();
  };
}

/** Only who holds the Lease may rise above another, since the epoch is written into it. */
async function outranked(reconciler: Reconciler, epoch: number, log: Log): Promise<void> {
  try {
    await reconciler.outranked(epoch);
  } catch (error) {
    log.warn(
      { err: error, epoch },
      'Redis knows of another leader, and the Lease is not ours to rise above it',
    );
  }
}

const failureOf = (work: Promise<unknown>) =>
  new Promise<Error>((resolve) => {
    work.catch((error: unknown) => resolve(error instanceof Error ? error : new Error(String(error))));
  });

/** Where a replica is reached that listens at one address. */
function urlOf({ host, port }: ListenAddress): string | undefined {
  const everywhere = host === '0.0.0.0' || host === '::';
  return everywhere || port === 0 ? undefined : `https://${formatListenAddress({ host, port })}`;
}

/** The name or address of a URL, as a certificate has it. */
const hostsOf = (url: string | undefined): string[] =>
  url === undefined ? [] : [new URL(url).hostname.replace(/^\[|\]$/g, '')];

/** For who is on this machine, and for pods: what to trust. It changes when a CA is rotated. */
async function tellBundle(trust: Trust, path: string, backing: Backing, log: Log): Promise<void> {
  const write = () => {
    const { pem } = trust.ca.bundle();
    backing.tellAuthorities?.(pem);
    return writeFileAtomic(path, pem);
  };
  await write();
  trust.ca.onChange(() => {
    write().catch((error: unknown) => log.error({ err: error, path }, 'the CAs are not written'));
  });
}

if (import.meta.main) {
  const options = readOptions(process.argv);
  await runUntilStopped(createLog('operator'), () => startOperator(options));
}
