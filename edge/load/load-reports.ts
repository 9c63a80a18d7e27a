/**
 * Tells the operator at a steady beat how busy this edge is: its own thread and the machine, connections, and what its
 * domains got.
 */
import { cpus } from 'node:os';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import type { Report } from '../../contract/stream/messages.ts';
import type { Clock } from '../../lib/clock.ts';
import { type CountsByDomain, type Rates, trafficMeter } from './traffic.ts';

type LoadReport = Extract<Report, { type: 'load' }>;

const BEAT_MS = 10_000;
/** The busiest by requests; a report stays small however many domains there are. */
const MOST_DOMAINS = 50;

export interface LoadSources {
  traffic: () => Promise<CountsByDomain>;
  connections: () => Promise<number>;
  /** How busy the machine and who serves were since the last call, 0 to 1. */
  busy?: () => number | Promise<number>;
  /** Who serves, by name, where it is not this thread. */
  threads?: () => Promise<ReadonlyMap<string, EventLoopUtilization>>;
}

export function startLoadReports(
  clock: Clock,
  sources: LoadSources,
  report: (load: LoadReport) => void,
): () => void {
  const busy = sources.busy ?? busyMeter(sources.threads ?? ownThread);
  const traffic = trafficMeter(clock, sources.traffic);
  const beat = async () => {
    const [rates, connections, cpu] = await Promise.all([traffic(), sources.connections(), busy()]);
    const rows = [...rates.values()];
    report({
      type: 'load',
      cpu: Math.min(1, Math.max(0, cpu)),
      bitsPerSecond: sumOf(rows, 'bitsPerSecond'),
      connections,
      requestsPerSecond: sumOf(rows, 'requestsPerSecond'),
      hitsPerSecond: sumOf(rows, 'hitsPerSecond'),
      domains: [...rates]
        // Requests for no domain of ours.
        .filter(([domain]) => domain !== '')
        .sort(([, a], [, b]) => b.requestsPerSecond - a.requestsPerSecond)
        .slice(0, MOST_DOMAINS)
        .map(([domain, row]) => ({ domain, ...row })),
    });
  };
  return clock.every(BEAT_MS, () => void beat());
}

const sumOf = (rows: readonly Rates[], part: keyof Rates) => rows.reduce((sum, row) => sum + row[part], 0);

const ownThread = async () => new Map([['', performance.eventLoopUtilization()]]);

/** The busiest thread counts: it is at its end long before a machine of many cores is. */
function busyMeter(threads: NonNullable<LoadSources['threads']>): () => Promise<number> {
  let before: ReadonlyMap<string, EventLoopUtilization> = new Map();
  // What a thread did before the first beat is not this beat's.
  const first = threads().then((loops) => {
    before = loops;
  });
  let machine = machineTimes();
  return async () => {
    await first;
    const now = await threads();
    const ofThreads = [...now].map(([name, loop]) => shareOf(loop, before.get(name)));
    const machineNow = machineTimes();
    const total = machineNow.total - machine.total;
    const ofMachine = total > 0 ? 1 - (machineNow.idle - machine.idle) / total : 0;
    [before, machine] = [now, machineNow];
    return Math.max(ofMachine, ...ofThreads);
  };
}

function shareOf(now: EventLoopUtilization, before = { idle: 0, active: 0 }): number {
  const active = now.active - before.active;
  const total = active + now.idle - before.idle;
  return total > 0 ? active / total : 0;
}

function machineTimes(): { idle: number; total: number } {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  return {
    idle: sum(times.map(({ idle }) => idle)),
    total: sum(times.flatMap((each) => Object.values(each))),
  };
}
