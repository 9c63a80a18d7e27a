/**
 * How long a change takes from the API server's answer to the last ack, and what it costs the operator: many agents on
 * the real stream, many domains in a real API server (test/cluster), beside a bare sender of the same bytes to the same
 * agents. Every figure of one run is of one machine; the ratios are what holds on others.
 *
 *     node bench/push/main.ts [--domains 10000] [--agents 1000] [--rounds 10] [--only change|purge] [--profile FOLDER]
 *
 * `--profile` writes the CPU profile of the operator there, and says which of its seconds the rounds took.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { kubernetesApi } from '../../operator/kubernetes/api.ts';
import { loadCredentials } from '../../operator/kubernetes/credentials.ts';
import { startCluster } from '../../test/cluster/cluster.ts';
import { nodeName } from '../compile/fleet.ts';
import { cpuSeconds, memoryMegabytes } from '../edge/process-cost.ts';
import { AgentProcess } from './agent-process.ts';
import { BareProcess } from './bare-process.ts';
import { changeDomain, createPurge, fill } from './cluster-fill.ts';
import { allToldOf, flapWrites } from './flap.ts';
import { OperatorProcess } from './operator-process.ts';
import { cost, fold, lastAck, print, type Round, report } from './report.ts';

const IDLE_WINDOWS = 4;

const { values } = parseArgs({
  options: {
    domains: { type: 'string', default: '10000' },
    agents: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '10' },
    /** Seconds over which CPU is counted, from the change on. */
    window: { type: 'string', default: '5' },
    flap: { type: 'string', default: '20' },
    only: { type: 'string' },
    profile: { type: 'string' },
  },
});
const roundsOf = (kind: 'change' | 'purge') =>
  values.only === undefined || values.only === kind ? rounds : 0;
const [domains = 0, agents = 0, rounds = 0, window = 0, flap = 0] = [
  values.domains,
  values.agents,
  values.rounds,
  values.window,
  values.flap,
].map(Number);

const folder = await mkdtemp(join(tmpdir(), 'weir-bench-push-'));
await using ending = new AsyncDisposableStack();
ending.defer(() => rm(folder, { recursive: true, force: true }));
const cluster = await startCluster();
ending.defer(() => cluster.stop());
const { credentials } = await loadCredentials(cluster.kubeconfig);
const api = kubernetesApi(credentials);
ending.defer(() => api.close());
print(`${domains} domains, ${agents} agents, ${rounds} rounds`);
// One more node than agents: that one flaps.
await fill(api, domains, agents + 1);

const operator = new OperatorProcess(folder, cluster.kubeconfig, values.profile);
ending.defer(() => operator.stop());
print(`first start to first plan: ${(await operator.start()).toFixed(1)} s`);
await operator.quiet();
await operator.stop();
print(`start again to first plan: ${(await operator.start()).toFixed(1)} s`);
await operator.quiet();

const place = await operator.place();
const fleetFolder = join(folder, 'fleet');
await mkdir(fleetFolder);
const fleet = new AgentProcess();
ending.defer(() => fleet.stop());
await fleet.connect({ place, agents, folder: fleetFolder, joins: true });
ending.defer(await operator.connectDns());
const joined = performance.now();
await allToldOf(cluster);
print(`every status is written ${((performance.now() - joined) / 1_000).toFixed(0)} s after the agents came`);
await operator.quiet();
print(`operator's memory: ${memoryMegabytes(operator.pid).toFixed(0)} MB`);

/**
 * What a process costs over the window when nothing happens: heartbeats, ticks. The least of some: statuses that are
 * written late are no part of it, and would be taken off what a change costs.
 */
async function idleCost(pid: number): Promise<number> {
  const costs: number[] = [];
  for (let turn = 0; turn < IDLE_WINDOWS; turn++) {
    const before = cpuSeconds(pid);
    await sleep(window * 1_000);
    costs.push(cpuSeconds(pid) - before);
  }
  return Math.min(...costs);
}

async function measured(pid: number, act: () => Promise<Round>): Promise<Round> {
  const before = cpuSeconds(pid);
  const [round] = await Promise.all([act(), sleep(window * 1_000)]);
  return { ...round, cpu: cpuSeconds(pid) - before };
}

// Before the first change: what a change leaves to be written is a part of what it costs.
const idle = await idleCost(operator.pid);
const change = async (round: number): Promise<Round> => {
  const next = fleet.nextPlan(agents);
  const at = await changeDomain(api, (round * 7_919) % domains, 9_000 + round);
  const seen = await next;
  return { at, seen, published: operator.publishedAfter(at), cpu: 0 };
};
// These agents said nothing for longer than a connection is kept; real ones tell their load every ten seconds.
const { at: began, seen: first } = await change(rounds);
print(
  `the first change, for which every agent opens a connection anew: ${(lastAck(first) - began).toFixed(0)} ms`,
);
const changes: Round[] = [];
const purges: Round[] = [];
const second = () => operator.age().toFixed(0);
const changesFrom = second();
for (let round = 0; round < roundsOf('change'); round++) {
  changes.push(await measured(operator.pid, () => change(round)));
}
const purgesFrom = second();
for (let round = 0; round < roundsOf('purge'); round++) {
  purges.push(
    await measured(operator.pid, async () => {
      const { at, uid } = await createPurge(api, (round * 7_919) % domains, `purge-${round}`);
      return { at, seen: await fleet.all(`command ${uid}`, agents), published: undefined, cpu: 0 };
    }),
  );
}
if (values.profile !== undefined)
  print(`in the profile: changes ${changesFrom} to ${purgesFrom} s, purges to ${second()} s`);
print(`operator's memory after that: ${memoryMegabytes(operator.pid).toFixed(0)} MB`);
if (flap > 0) {
  const writes = await flapWrites(cluster, place, { node: nodeName(agents), seconds: flap });
  print(`writes to the API while one edge flaps: ${writes.toFixed(0)} a minute`);
}
await fleet.stop();

const bare = await BareProcess.start();
ending.defer(() => bare.stop());
const others = new AgentProcess();
ending.defer(() => others.stop());
await others.connect({ place: bare.place, agents, folder: fleetFolder, joins: false });
const bareIdle = await idleCost(bare.pid);
const bareRounds = async (kind: 'delta' | 'command', [first]: readonly Round[]) => {
  const done: Round[] = [];
  for (let round = 0; first && round < rounds; round++) {
    const bytes = first.seen[0]?.bytes ?? 0;
    done.push(
      await measured(bare.pid, async () => {
        const { at, what } = bare.send(kind, round + 2, bytes);
        return { at, seen: await others.all(what, agents), published: undefined, cpu: 0 };
      }),
    );
  }
  return done;
};
const bareChanges = await bareRounds('delta', changes);
const barePurges = await bareRounds('command', purges);
for (const [name, ours, beside] of [
  ['one changed CdnDomain', changes, bareChanges],
  ['one PurgeJob', purges, barePurges],
] as const) {
  if (ours.length === 0) continue;
  report(name, fold(ours), fold(beside));
  cost(ours, idle, beside, bareIdle);
}
