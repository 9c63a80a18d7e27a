/** How long answers take while requests come at half of what the slowest can do: by `h2load`, at a rate of its own. */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { textTable } from '../../lib/text-table.ts';
import { median, type Sample } from './report.ts';
import type { Running } from './server.ts';

const CONNECTIONS = 64;

interface Steady {
  core: number;
  seconds: number;
  rounds: number;
  folder: string;
}

/** `samples`: of full load, by which it is known what half of it is. Nothing where they are not of all of `running`. */
export async function steadyRate(
  running: readonly Running[],
  samples: readonly Sample[],
  how: Steady,
): Promise<string[]> {
  const rates = running.map(({ server }) => {
    const own = samples.filter((sample) => sample.server === server.name && sample.case.isForRate);
    return median(own.map(({ cpuSeconds, requests }) => requests / cpuSeconds));
  });
  const rate = Math.floor(Math.min(...rates) / 2);
  if (running.length === 0 || Number.isNaN(rate)) return [];
  const taken = new Map<string, { p50: number; p99: number }[]>();
  for (let round = 0; round < how.rounds; round++) {
    for (const { server, port } of running) {
      const times = await answerTimes(port, rate, how);
      const at = (share: number) => (times[Math.floor(times.length * share)] ?? Number.NaN) / 1_000;
      taken.set(server.name, [...(taken.get(server.name) ?? []), { p50: at(0.5), p99: at(0.99) }]);
    }
  }
  const rows = [...taken].map(([name, rounds]) => [
    name,
    median(rounds.map(({ p50 }) => p50)).toFixed(2),
    median(rounds.map(({ p99 }) => p99)).toFixed(2),
  ]);
  return textTable([[`${rate} requests a second`, 'p50 ms', 'p99 ms'], ...rows]);
}

/** Microseconds of each answer, in order. */
async function answerTimes(port: number, rate: number, { core, seconds, folder }: Steady): Promise<number[]> {
  const log = join(folder, 'steady.tsv');
  // It would add to it.
  await rm(log, { force: true });
  const options = {
    '-c': CONNECTIONS,
    '-n': Math.floor(rate * seconds),
    '--rps': rate / CONNECTIONS,
    '--log-file': log,
  };
  const flags = Object.entries(options).flatMap(([flag, value]) =>
    flag.startsWith('--') ? [`${flag}=${value}`] : [flag, String(value)],
  );
  const args = ['-c', String(core), 'h2load', '--h1', ...flags, `http://127.0.0.1:${port}/1k`];
  await promisify(execFile)('taskset', args);
  const lines = (await readFile(log, 'utf8')).trim().split('\n');
  return lines.map((line) => Number(line.split('\t')[2])).sort((a, b) => a - b);
}
