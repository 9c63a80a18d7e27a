/** Runs dnsperf on the second core. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Load {
  port: number;
  /** A file that dnsperf -B reads. */
  queries: string;
  transport: 'udp' | 'tcp';
  /** How long; `once` through all queries. */
  seconds: number | 'once';
}

export interface Perf {
  completed: number;
  perSecond: number;
  latencyMs: number;
}

export async function dnsperf({ port, queries, transport, seconds }: Load): Promise<Perf> {
  const to = ['-s', '127.0.0.1', '-p', String(port), '-m', transport];
  const until = seconds === 'once' ? ['-n', '1'] : ['-l', String(seconds)];
  const load = ['-d', queries, '-B', ...until, '-c', '8', '-q', '500'];
  const { stdout } = await run('taskset', ['-c', '1', 'dnsperf', ...to, ...load]);
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  return {
    completed: number(/Queries completed:\s+(\d+)/),
    perSecond: number(/Queries per second:\s+([\d.]+)/),
    latencyMs: 1_000 * number(/Average Latency \(s\):\s+([\d.]+)/),
  };
}
