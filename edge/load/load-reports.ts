/** Tells the operator at a steady beat how busy this edge is: its own thread and the machine, bandwidth, connections. */
import { cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Report } from '../../contract/stream/messages.ts';
import type { Clock } from '../../lib/clock.ts';

type LoadReport = Extract<Report, { type: 'load' }>;

const BEAT_MS = 10_000;

export interface LoadSources {
  /** Bytes of bodies sent to clients since the start. */
  bytesSent: () => Promise<number>;
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
  let before = { at: clock.now(), bytes: 0 };
  const beat = async () => {
    const [bytes, connections] = await Promise.all([sources.bytesSent(), sources.connections()]);
    const now = { at: clock.now(), bytes };
    const seconds = Math.max(0.001, (now.at - before.at) / 1_000);
    const bitsPerSecond = Math.max(0, ((now.bytes - before.bytes) * 8) / seconds);
    before = now;
    report({ type: 'load', cpu: Math.min(1, Math.max(0, busy())), bitsPerSecond, connections });
  };
  return clock.every(BEAT_MS, () => void beat());
}

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
