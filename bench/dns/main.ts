/**
 * Weir beside gdnsd, Knot and PowerDNS: the same world, each server on one core and dnsperf on another, runs of all
 * servers in turn. What counts is CPU per query, out of /proc: it is true where dnsperf is the slower one, too.
 *
 *     node bench/dns/main.ts --seconds 3 --rounds 5
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { askUdp } from '../../dns-server/testing/ask.ts';
import { listen } from '../../lib/listen.ts';
import { messageOf } from '../../lib/message-of.ts';
import { CASES, type Case, TARGETS } from './cases.ts';
import { measureChange } from './change.ts';
import { dnsperf, type Perf } from './dnsperf.ts';
import { measureMemory } from './memory.ts';
import { CLIENT_COOKIE, cookieIn, queriesFor, withCookie, writeQueries } from './queries.ts';
import { type Measured, printCase, printTargets } from './report.ts';
import { cpuSeconds, end, type Running, residentMiB, start } from './running.ts';
import { measureSwap } from './swap.ts';
import { type World, worldOf } from './world.ts';

interface Options {
  seconds: number;
  rounds: number;
  cases: string;
  servers: string;
}

const ALL = [...CASES.map(({ name }) => name), 'memory', 'swap', 'change'].join(',');
const options = new Command('bench/dns')
  .option('--seconds <number>', 'of each run', Number, 3)
  .option('--rounds <number>', 'runs of each server', Number, 5)
  .option('--cases <names>', `of ${ALL}`, ALL)
  .option('--servers <names>', 'only those whose name begins so', '')
  .parse()
  .opts<Options>();

const folder = await mkdtemp(join(tmpdir(), 'weir-bench-dns-'));
const health = createServer((_, response) => response.end());
const healthPort = (await listen(health, { host: '0.0.0.0', port: 0 })).port;
const chosen = options.cases.split(',');
try {
  const measured = new Map<string, Measured>();
  for (const each of CASES.filter(({ name }) => chosen.includes(name))) {
    const results = await measureCase(each);
    printCase(each, results);
    for (const [server, result] of results) measured.set(`${each.name}, ${server}`, result);
  }
  printTargets(TARGETS, measured);
  if (chosen.includes('memory')) await measureMemory(folder, healthPort);
  if (chosen.includes('swap')) await measureSwap(folder, healthPort);
  if (chosen.includes('change')) measureChange();
} finally {
  health.close();
  health.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
}

async function measureCase(each: Case): Promise<Map<string, Measured>> {
  const world = worldOf(each.domains, { signed: each.signed });
  const asking = { ecs: each.ecs, dnssec: each.signed };
  const queries = join(folder, `${each.name}.queries`);
  if (!each.cookies) await writeQueries(queries, world, asking);
  const queriesOf = (port: number) => (each.cookies ? `${queries}.${port}` : queries);
  const load = (port: number, seconds: number | 'once') =>
    dnsperf({ port, queries: queriesOf(port), transport: each.transport, seconds });
  const prefixes = options.servers.split(',').map((name) => name.trim());
  const running: Running[] = [];
  const runs = new Map<Running, (Perf & { cpuSeconds: number })[]>();
  try {
    for (const server of each.servers.filter(({ name }) =>
      prefixes.some((start) => name.startsWith(start)),
    )) {
      const own = join(folder, `${each.name}-${server.name.replace(/\W+/g, '-')}`);
      const started = await start(server, own, world, healthPort).catch((error: unknown) => {
        console.error(`${server.name} does not start: ${messageOf(error)}`);
      });
      if (started) running.push(started);
    }
    if (each.cookies) {
      for (const { port } of running) {
        const cookie = await cookieOf(port, world);
        await writeQueries(queriesOf(port), world, { ...asking, cookie });
      }
    }
    // Once to be warm: code compiled, answers prepared, signatures made.
    for (const { port } of running) await load(port, 'once');
    for (let round = 0; round < options.rounds; round++) {
      for (const one of running) {
        const before = await cpuSeconds(one);
        const perf = await load(one.port, options.seconds);
        const cpu = (await cpuSeconds(one)) - before;
        runs.set(one, [...(runs.get(one) ?? []), { ...perf, cpuSeconds: cpu }]);
      }
    }
    const rows = running.map(async (one): Promise<[string, Measured]> => {
      return [one.server.name, { runs: runs.get(one) ?? [], mebibytes: await residentMiB(one) }];
    });
    return new Map(await Promise.all(rows));
  } finally {
    await Promise.all(running.map(({ child }) => end(child)));
  }
}

/** What it gives to who has none. */
async function cookieOf(port: number, world: World): Promise<Buffer> {
  const [query = Buffer.alloc(0)] = queriesFor(world, { ecs: true, dnssec: false }, 1);
  const answer = await askUdp({ host: '127.0.0.1', port }, withCookie(query, CLIENT_COOKIE));
  if (answer === undefined) throw new Error('no answer to a query with a cookie');
  return cookieIn(answer);
}
