/**
 * Tells the operator at a steady beat how busy this edge is: its own thread and the machine, connections, and what its
 * domains got.
 */
import { cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
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
  /** How busy the machine and this thread were since the last call, 0 to 1. */
  busy?: () => number;
}

export function startLoadReports(
  clock: Clock,
  sources: LoadSources,
  report: (load: LoadReport) => void,
): () => void {
  const busy = sources.busy ?? busyMeter();
  const traffic = trafficMeter(clock, sources.traffic);
  const beat = async () => {
    const [rates, connections] = await Promise.all([traffic(), sources.connections()]);
    const rows = [...rates.values()];
    report({
      type: 'load',
      cpu: Math.min(1, Math.max(0, busy())),
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

/** One thread serves: it is at its end long before a machine of many cores is. */
function busyMeter(): () => number {
  let loop = performance.eventLoopUtilization();
  let machine = machineTimes();
  return () => {
    const [loopNow, machineNow] = [performance.eventLoopUtilization(), machineTimes()];
    const ofThread = performance.eventLoopUtilization(loopNow, loop).utilization;
    const total = machineNow.total - machine.total;
    const ofMachine = total > 0 ? 1 - (machineNow.idle - machine.idle) / total : 0;
    [loop, machine] = [loopNow, machineNow];
    return Math.max(ofThread, ofMachine);
  };
}

function machineTimes(): { idle: number; total: number } {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  return {
    idle: sum(times.map(({ idle }) => idle)),
    total: sum(times.flatMap((each) => Object.values(each))),
  };
}
