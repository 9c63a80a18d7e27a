/**
 * Usage: each minute the meter's rows go to disk, and from there to the operator, until it says that it has them. A crash
 * loses the running minute at most.
 *
 *     meter ──each minute──> batch on disk ──report──> operator ──usageTaken──> the file goes
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Report } from '../../contract/stream/messages.ts';
import { MAX_USAGE_ROWS, type UsageBatch } from '../../contract/stream/usage.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { openBatchFiles } from './batch-files.ts';
import type { UsageMeter } from './meter.ts';

const MINUTE_MS = 60_000;
/** In one report; the next ones follow when these are taken. */
const BATCHES_AT_ONCE = 60;

export interface Usage {
  /** The operator has these. Returns how many of them were still here. */
  taken(ids: readonly string[]): Promise<number>;
  /** Writes the running minute down. */
  stop(): Promise<void>;
}

export interface UsageOptions {
  /** The edge's own. */
  folder: string;
  meter: UsageMeter;
  clock: Clock;
  log: Log;
  report: (report: Extract<Report, { type: 'usage' }>) => void;
  onDropped: (batches: number) => void;
}

export async function startUsage({
  folder,
  meter,
  clock,
  log,
  report,
  onDropped,
}: UsageOptions): Promise<Usage> {
  const files = await openBatchFiles(join(folder, 'usage'), { log, onDropped });
  // Two runs in one minute make two batches of it.
  const run = randomBytes(4).toString('hex');
  let part = 0;
  let work: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(each: () => Promise<T>): Promise<T> => {
    const next = work.then(each);
    work = next.catch((error: unknown) => log.error({ err: error }, 'usage is not written down'));
    return next;
  };
  const minuteNow = () => Math.floor(clock.now() / MINUTE_MS);
  let minute = minuteNow();
  let stopTimer = () => {};

  async function close(): Promise<void> {
    const rows = meter.take();
    for (let at = 0; at < rows.length; at += MAX_USAGE_ROWS) {
      const batch = { id: `${minute}-${run}-${part++}`, minute, rows: rows.slice(at, at + MAX_USAGE_ROWS) };
      await files.add(batch).catch((error: unknown) => {
        // A disk that is full now may take them with the next minute's.
        meter.add(rows.slice(at));
        throw error;
      });
    }
    minute = minuteNow();
  }

  async function tell(): Promise<void> {
    const batches: UsageBatch[] = [];
    for (const id of files.ids().slice(0, BATCHES_AT_ONCE)) {
      const batch = await files.read(id);
      if (batch !== undefined) batches.push(batch);
      // A report is one request: not more rows than a minute of a large installation.
      if (batches.reduce((sum, { rows }) => sum + rows.length, 0) >= MAX_USAGE_ROWS) break;
    }
    if (batches.length > 0) report({ type: 'usage', batches });
  }

  function nextMinute(): void {
    stopTimer = clock.after((minuteNow() + 1) * MINUTE_MS - clock.now(), () => {
      nextMinute();
      void inTurn(async () => {
        await close();
        // Also what was told before and not taken: the operator may have been another one.
        await tell();
      }).catch(() => {});
    });
  }

  nextMinute();
  // What the last run left.
  await inTurn(tell);
  return {
    taken: (ids) =>
      inTurn(async () => {
        const count = await files.remove(ids);
        if (count > 0 && files.ids().length > 0) await tell();
        return count;
      }),
    async stop() {
      stopTimer();
      await inTurn(close).catch(() => {});
    },
  };
}
