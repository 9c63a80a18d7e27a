/**
 * Weir beside gdnsd, Knot and PowerDNS: the same world, each server on one core and dnsperf on another, runs of all
 * servers in turn. What counts is CPU per query, out of /proc: it is true where dnsperf is the slower one, too.
 *
 *     node bench/dns/main.ts --seconds 3 --rounds 3
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { listen } from '../../lib/listen.ts';
import { textTable } from '../../lib/text-table.ts';
import { writeQueries } from './queries.ts';
import { gdnsd, knot, pdns, type Server, weir } from './servers.ts';
import { type World, worldOf, ZONE } from './world.ts';

const SERVERS: Server[] = [
  gdnsd,
  knot,
  pdns,
  weir('weir, batches', ['--batch', 'on', '--workers', '1']),
  weir('weir, two workers', ['--batch', 'on', '--workers', '2']),
  weir('weir, dgram', ['--batch', 'off']),
];

interface Case {
  name: string;
  domains: number;
  ecs: boolean;
  transport: 'udp' | 'tcp';
}

const CASES: Case[] = [
  { name: 'ecs', domains: 1_000, ecs: true, transport: 'udp' },
  { name: 'plain', domains: 1_000, ecs: false, transport: 'udp' },
  { name: 'many', domains: 100_000, ecs: true, transport: 'udp' },
  { name: 'tcp', domains: 1_000, ecs: true, transport: 'tcp' },
];

interface Options {
  seconds: number;
  rounds: number;
  cases: string;
  servers: string;
}

const program = new Command('bench/dns')
  .option('--seconds <number>', 'of each run', Number, 3)
  .option('--rounds <number>', 'runs of each server', Number, 3)
  .option('--cases <names>', 'of ecs, plain, many, tcp', 'ecs,plain,many,tcp')
  .option('--servers <names>', 'only those whose name begins so', '');
const options = program.parse().opts<Options>();

const run = promisify(execFile);
const CLOCK_TICKS_PER_SECOND = 100;

interface Running {
  server: Server;
  port: number;
  child: ChildProcess;
}

interface Measured {
  queries: number;
  cpuSeconds: number;
  perSecond: number;
  latencyMs: number;
}

const folder = await mkdtemp(join(tmpdir(), 'weir-bench-dns-'));
const health = createServer((_, response) => response.end());
const healthPort = (await listen(health, { host: '0.0.0.0', port: 0 })).port;
try {
  const chosen = options.servers.split(',').map((name) => name.trim());
  const servers = SERVERS.filter(({ name }) => chosen.some((start) => name.startsWith(start)));
  for (const each of CASES.filter(({ name }) => options.cases.split(',').includes(name))) {
    await measureCase(each, servers);
  }
} finally {
  health.close();
  health.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
}

async function measureCase(each: Case, servers: readonly Server[]): Promise<void> {
  const world = worldOf(each.domains);
  const queries = join(folder, `${each.name}.queries`);
  await writeQueries(queries, world, each);
  const runs = new Map<string, Measured[]>();
  const memory = new Map<string, number>();
  const running: Running[] = [];
  try {
    for (const server of servers) {
      const started = await start(server, each, world).catch((error: unknown) => {
        console.error(
          `${server.name} does not start: ${error instanceof Error ? error.message : String(error)}`,
        );
      });
      if (started) running.push(started);
    }
    for (const { port } of running) await dnsperf(port, queries, each, 1);
    for (let round = 0; round < options.rounds; round++) {
      for (const { server, port, child } of running) {
        const before = await cpuSeconds(child.pid ?? 0);
        const { sent, latencyMs, perSecond } = await dnsperf(port, queries, each, options.seconds);
        const measured = {
          queries: sent,
          cpuSeconds: (await cpuSeconds(child.pid ?? 0)) - before,
          perSecond,
          latencyMs,
        };
        runs.set(server.name, [...(runs.get(server.name) ?? []), measured]);
      }
    }
    for (const { server, child } of running) memory.set(server.name, await residentMiB(child.pid ?? 0));
  } finally {
    await Promise.all(running.map(({ child }) => end(child)));
  }
  print(each, runs, memory);
}

async function start(server: Server, { name }: Case, world: World): Promise<Running> {
  const own = join(folder, `${name}-${server.name.replace(/\W+/g, '-')}`);
  await mkdir(own);
  const port = await freePort();
  const [command = '', ...args] = await server.prepare(own, port, world, healthPort);
  const child = spawn('taskset', ['-c', '0', command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = (errors + String(chunk)).slice(-2_000);
  });
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) throw new Error(errors);
    if (await answers(port, world.names.at(-1) ?? ZONE)) return { server, port, child };
    await sleep(100);
  }
  await end(child);
  throw new Error(`no answer in a minute; ${errors}`);
}

/** Whether it gives two addresses for the name: a server that answers something else would win any race. */
async function answers(port: number, name: string): Promise<boolean> {
  const { stdout } = await run('dig', [
    '@127.0.0.1',
    '-p',
    String(port),
    '+short',
    '+tries=1',
    '+time=1',
    name,
  ]).catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter((line) => line.startsWith('127.1.')).length === 2;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([exited, sleep(5_000)]);
  child.kill('SIGKILL');
}

async function dnsperf(port: number, queries: string, { transport }: Case, seconds: number) {
  const { stdout } = await run('taskset', [
    '-c',
    '1',
    'dnsperf',
    '-s',
    '127.0.0.1',
    '-p',
    String(port),
    '-d',
    queries,
    '-B',
    '-l',
    String(seconds),
    '-c',
    '8',
    '-q',
    '500',
    '-m',
    transport,
  ]);
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  return {
    sent: number(/Queries completed:\s+(\d+)/),
    perSecond: number(/Queries per second:\s+([\d.]+)/),
    latencyMs: 1_000 * number(/Average Latency \(s\):\s+([\d.]+)/),
  };
}

/** User and system time of all threads (proc(5), fields 14 and 15). */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
}

function print(each: Case, runs: ReadonlyMap<string, Measured[]>, memory: ReadonlyMap<string, number>): void {
  const perQuery = (name: string) =>
    median((runs.get(name) ?? []).map((one) => (1e6 * one.cpuSeconds) / one.queries));
  const base = perQuery('gdnsd');
  console.log(
    `\n${each.name}: ${each.domains} domains, ${each.ecs ? 'a random /24 in each query' : 'no ECS'}, ${each.transport}`,
  );
  const rows = [...runs].map(([name, measured]) => [
    name,
    median(measured.map(({ perSecond }) => perSecond)).toFixed(0),
    median(measured.map(({ latencyMs }) => latencyMs)).toFixed(2),
    perQuery(name).toFixed(2),
    Number.isNaN(base) ? '' : (perQuery(name) / base).toFixed(2),
    (memory.get(name) ?? 0).toFixed(0),
  ]);
  console.log(
    textTable([['SERVER', 'QUERIES/S', 'LATENCY MS', 'CPU US/QUERY', 'X GDNSD', 'MIB'], ...rows]).join('\n'),
  );
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Free for UDP and TCP, as far as can be known. */
async function freePort(): Promise<number> {
  const tcp = createTcpServer();
  const { port } = await listen(tcp, { host: '127.0.0.1', port: 0 });
  const udp = createSocket('udp4');
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
  await Promise.all([
    new Promise((resolve) => tcp.close(resolve)),
    new Promise<void>((resolve) => udp.close(resolve)),
  ]);
  return port;
}
