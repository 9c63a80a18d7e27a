/**
 * What many certificates cost an edge, and what attackers on its TLS port cost its clients.
 *
 *     node bench/tls/main.ts [--certificates 10000] [--half-open 10000] [--seconds 4]
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { listen } from '../../lib/listen.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { textTable } from '../../lib/text-table.ts';
import { start, tlsSetup } from '../edge/server.ts';
import { weir } from '../edge/weir.ts';
import { load } from '../edge/wrk.ts';
import { halfOpen, handshakes, rapidReset } from './attacks.ts';
import { certificateFigures } from './certificates.ts';

const { values: options } = parseArgs({
  options: {
    certificates: { type: 'string', default: '10000' },
    'half-open': { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '4' },
  },
});

// With the load, so that the edge has a core of its own.
execFileSync('taskset', ['-pc', '1', String(process.pid)]);

for (const line of await certificateFigures(Number(options.certificates))) print(line);

const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'));
const origin = createServer((_request, response) =>
  response.writeHead(200, { 'cache-control': 'max-age=86400' }).end(Buffer.alloc(1_024)),
);
const { port: originPort } = await listen(origin, { host: '127.0.0.1', port: 0 });
await mkdir(join(folder, 'edge'));
const tls = await tlsSetup();
const edge = await start(weir, { folder: join(folder, 'edge'), port: await freePort(), tls, originPort }, 0);
try {
  const rows = [['clients beside', 'req/s', 'p50 ms', 'p99 ms', 'errors']];
  const attacks = {
    nobody: () => async () => {},
    'rapid reset on 4 connections': () => rapidReset(tls.port, 4),
    'handshakes on 16 connections': () => handshakes(tls.port, 16),
    [`${options['half-open']} half-open connections`]: () => halfOpen(tls.port, Number(options['half-open'])),
  };
  for (const [name, attack] of Object.entries(attacks)) rows.push([name, ...(await besides(attack))]);
  for (const line of textTable(rows)) print(line);
} finally {
  await edge.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);

/** Normal clients: sixteen connections over TLS that ask for the same small object. */
async function besides(
  attack: () => Promise<() => Promise<void>> | (() => Promise<void>),
): Promise<string[]> {
  const end = await attack();
  const of = {
    name: '',
    path: '/1k',
    over: 'https',
    connections: 16,
    tier: 'memory',
    wanted: 0,
  } as const;
  const told = await load(of, {
    port: tls.port,
    core: 1,
    seconds: Number(options.seconds),
    folder,
    run: 0,
  });
  await end();
  const { requests, seconds, p50Ms, p99Ms, faults } = told;
  return [(requests / seconds).toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2), String(faults)];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
