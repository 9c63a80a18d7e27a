/** The load: `wrk` on a core of its own, and what it says. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Case } from './cases.ts';
import { HOST } from './server.ts';

export interface Load {
  requests: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  /** Answers that were none, or errors of sockets: a figure with such is no figure. */
  faults: number;
}

/** `run` makes the paths of a miss case differ from those of all other runs. */
export async function load(
  { path, headers = {}, unique, connections, over }: Case,
  {
    port,
    core,
    seconds,
    folder,
    run,
  }: { port: number; core: number; seconds: number; folder: string; run: number },
): Promise<Load> {
  const script = join(folder, 'wrk.lua');
  await writeFile(
    script,
    SCRIPT +
      (unique ? uniquePaths(path, run, unique === 'all' ? Number.POSITIVE_INFINITY : connections) : ''),
  );
  const fields = Object.entries({ Host: HOST, ...headers }).flatMap(([name, value]) => [
    '-H',
    `${name}: ${value}`,
  ]);
  const wrk = [
    'wrk',
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--latency',
    '--timeout',
    '10s',
    '-s',
    script,
  ];
  const url = `${over ?? 'http'}://127.0.0.1:${port}${path}`;
  const { stdout } = await promisify(execFile)('taskset', ['-c', String(core), ...wrk, ...fields, url]);
  const [, line] = /^RESULT (.*)$/m.exec(stdout) ?? [];
  if (line === undefined) throw new Error(`wrk said nothing of use: ${stdout}`);
  const [requests = 0, micros = 0, p50 = 0, p99 = 0, faults = 0] = line.split(' ').map(Number);
  return { requests, seconds: micros / 1e6, p50Ms: p50 / 1e3, p99Ms: p99 / 1e3, faults };
}

const SCRIPT = `
  function done(summary, latency)
    local e = summary.errors
    print(string.format("RESULT %d %d %d %d %d", summary.requests, summary.duration,
      latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
  end
`;

/** Of as many requests as `most`: each connection begins with one. */
function uniquePaths(path: string, run: number, most: number): string {
  return `
  local n = 0
  function request()
    n = n + 1
    return wrk.format(nil, n > ${most === Number.POSITIVE_INFINITY ? 'math.huge' : most} and "${path}" or "${path}/${run}/" .. n)
  end
`;
}
