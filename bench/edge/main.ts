/**
 * What a hit costs, beside nginx, Varnish and Traffic Server as Debian has them: the same objects from one origin, each
 * server on one core, the load on another, in turns. CPU per request is the figure that holds on a shared machine;
 * requests per second are those of whatever was the limit, the server or the load. `bare` is no cache: it says what
 * sockets cost in Node when nothing is looked at. Before a case is measured each server has answered ten thousand of its
 * requests, or as many as ten seconds allow: what runs for weeks is not to be judged by what V8 makes of its first ones.
 *
 *     node bench/edge/main.ts [--rounds 3] [--seconds 3] [--only weir,nginx] [--case "64 KB"]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '../../lib/testing/free-port.ts';
import { bare } from './bare.ts';
import { CASES, type Case } from './cases.ts';
import { idleConnections } from './idle.ts';
import { onEvenLoopback } from './loopback.ts';
import { nginx } from './nginx.ts';
import { cpuSeconds, memoryMegabytes } from './process-cost.ts';
import { report, type Sample, workersReport } from './report.ts';
import { HOST, type Running, start, tlsSetup } from './server.ts';
import { steadyRate } from './steady.ts';
import { tlsLoad } from './tls-load.ts';
import { trafficServer } from './traffic-server.ts';
import { varnish } from './varnish.ts';
import { weir, weirDisk, weirWorkers } from './weir.ts';
import { load } from './wrk.ts';

const SERVERS = [weir, weirWorkers, weirDisk, nginx, varnish, trafficServer, bare];
const SERVER_CORE = 0;
const LOAD_CORE = 1;
const WARM_UP = { requests: 10_000, ms: 10_000 };
/** No path of a case of misses is asked for in two of them. */
let run = 0;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string' },
    case: { type: 'string', default: '' },
    idle: { type: 'string', default: '10000' },
  },
});
const names = options.only?.split(',');
const cases = CASES.filter(({ name }) => name.includes(options.case));

const network = onEvenLoopback(import.meta.filename);
const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'));
await chmod(folder, 0o755);
const originPort = await startOrigin();
const running: Running[] = [];
try {
  for (const server of SERVERS.filter(({ name }) => names?.includes(name) ?? true)) {
    const own = join(folder, server.name.replace(/\W/g, ''));
    await mkdir(own);
    const [port, tls] = [await freePort(), await tlsSetup()];
    running.push(await start(server, { folder: own, port, tls, originPort }, SERVER_CORE));
  }
  const samples: Sample[] = [];
  for (const each of cases) samples.push(...(await measure(each)));
  print(network);
  for (const line of report(samples)) print(line);
  for (const line of workersReport(samples, weir.name, weirWorkers.name)) print(line);
  const timed = running.filter(({ server }) => [weir, nginx, bare].includes(server));
  const rounds = Number(options.rounds);
  const how = { core: LOAD_CORE, seconds: Number(options.seconds), rounds, folder };
  for (const line of await steadyRate(timed, samples, how)) print(line);
  for (const { server, pid } of running) print(`${server.name}: ${memoryMegabytes(pid).toFixed(0)} MB`);
  for (const line of await idleConnections(running, Number(options.idle))) print(line);
} finally {
  await Promise.all(running.map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);

async function measure(of: Case): Promise<Sample[]> {
  const taking = running
    .filter(({ server }) => server.tier === 'both' || server.tier === of.tier)
    .filter(({ server }) => server.takes?.(of) ?? true);
  for (const { port, server } of taking)
    for (let turn = 0; turn < (server.warmUps ?? 2); turn++) await fetchOnce(port, of);
  for (const server of taking) await warmUp(of, server);
  const samples: Sample[] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    // In turns, and each time another one first: what the machine does beside us falls on all of them.
    for (const [index] of taking.entries()) {
      const server = taking[(index + round) % taking.length];
      if (server) samples.push(await sample(of, server));
    }
  }
  return samples;
}

/** The first six thousand misses cost twice what the later ones do, and handshakes are few in a second. */
async function warmUp(of: Case, server: Running): Promise<void> {
  const until = performance.now() + WARM_UP.ms;
  let requests = 0;
  while (requests < WARM_UP.requests && performance.now() < until)
    requests += (await sample(of, server)).requests;
}

async function sample(of: Case, { server, port, tlsPort, pid }: Running): Promise<Sample> {
  run += 1;
  const before = cpuSeconds(pid);
  const seconds = Number(options.seconds);
  const told =
    of.over === undefined || of.over === 'https'
      ? await load(of, { port: of.over ? tlsPort : port, core: LOAD_CORE, seconds, folder, run })
      : await tlsLoad(of, { port: tlsPort, core: LOAD_CORE, seconds });
  return { ...told, case: of, server: server.name, cpuSeconds: cpuSeconds(pid) - before };
}

async function startOrigin(): Promise<number> {
  const child = spawn(
    'taskset',
    ['-c', String(LOAD_CORE), process.execPath, join(import.meta.dirname, 'origin.ts')],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  process.on('exit', () => child.kill());
  const [line] = await once(child.stdout, 'data');
  return Number(String(line));
}

/** Fills the caches; a large object has to be there whole before a range of it is a hit. */
async function fetchOnce(port: number, { path }: Case): Promise<void> {
  const [response] = await once(
    get({ host: '127.0.0.1', port, path, headers: { host: HOST }, agent: false }),
    'response',
  );
  response.resume();
  await once(response, 'end');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
