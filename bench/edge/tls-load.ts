/** The loads over TLS that wrk has none for: HTTP/2 by `h2load`, handshakes by `openssl s_time` and a client of our own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Case } from './cases.ts';
import type { Load } from './wrk.ts';

interface Target {
  port: number;
  core: number;
  seconds: number;
}

export function tlsLoad(of: Case, target: Target): Promise<Load> {
  if (of.over === 'h2') return streams(of, target);
  return of.over === 'resumed' ? resuming(target) : handshakes(of, target);
}

/** A hundred streams at once on each connection. */
async function streams({ path, connections }: Case, { port, core, seconds }: Target): Promise<Load> {
  const url = `https://127.0.0.1:${port}${path}`;
  const said = await run(core, 'h2load', [
    '-D',
    String(seconds),
    '-c',
    String(connections),
    '-m',
    '100',
    url,
  ]);
  const number = (pattern: RegExp) => Number(pattern.exec(said)?.[1] ?? Number.NaN);
  return {
    requests: number(/(\d+) succeeded/),
    seconds,
    // It tells the mean of each, and no percentiles.
    p50Ms: milliseconds(/time for request:\s+\S+\s+\S+\s+(\S+)/.exec(said)?.[1]),
    p99Ms: Number.NaN,
    faults: number(/(\d+) failed/) + number(/(\d+) 5xx/),
  };
}

/** As clients of today resume; each connection is ended in order. */
async function resuming({ port, core, seconds }: Target): Promise<Load> {
  const client = join(import.meta.dirname, 'resuming-client.ts');
  const requests = Number(await run(core, process.execPath, [client, String(port), String(seconds)]));
  return { requests, seconds, p50Ms: Number.NaN, p99Ms: Number.NaN, faults: 0 };
}

/** TLS 1.3 where all is new, 1.2 where it is resumed. `s_time` ends its connections by a reset. */
async function handshakes({ over }: Case, { port, core, seconds }: Target): Promise<Load> {
  const how = over === 'full' ? ['-new', '-tls1_3'] : ['-reuse', '-tls1_2'];
  const place = ['-connect', `127.0.0.1:${port}`, '-time', String(seconds)];
  const said = await run(core, 'openssl', ['s_time', ...how, ...place]);
  const [, count, real] = /(\d+) connections in (\d+) real seconds/.exec(said) ?? [];
  const requests = Number(count);
  return {
    requests,
    seconds: Number(real),
    p50Ms: (Number(real) * 1_000) / requests,
    p99Ms: Number.NaN,
    faults: 0,
  };
}

async function run(core: number, file: string, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('taskset', ['-c', String(core), file, ...args], {
    maxBuffer: 64 * 2 ** 20,
  });
  return stdout;
}

function milliseconds(text = ''): number {
  const [, value = '', unit = ''] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? [];
  return Number(value) * ({ us: 1e-3, ms: 1, s: 1e3 }[unit] ?? Number.NaN);
}
