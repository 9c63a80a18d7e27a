/** A program's life: start, run until it is told to stop, stop cleanly. */
import type { Log } from './log.ts';

/** A program that does not stop by itself within this is ended: whoever told it to stop is waiting. */
const STOP_WITHIN_MS = 10_000;

export interface Running {
  stop(): Promise<void>;
  /** Resolves when the program can't go on. */
  failed?: Promise<Error>;
}

/**
 * Starts, then stops on SIGTERM, SIGINT, or when the parent that started it with a channel is gone; told so before it is
 * up, it ends as it is. Exits 0 after a clean stop, 1 when it failed or the stop did not end.
 */
export async function runUntilStopped(log: Log, start: () => Promise<Running>): Promise<void> {
  const told = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
    process.once('disconnect', () => resolve('the parent is gone'));
    // It may have gone while our modules were loading; without a channel from the start this is undefined.
    if (process.connected === false) resolve('the parent is gone');
  });
  try {
    const running = await Promise.race([start(), told.then(() => undefined)]);
    const reason = await Promise.race([told, running?.failed ?? told]);
    const failed = reason instanceof Error;
    if (failed) log.fatal({ err: reason }, reason.message);
    else log.info({ reason }, 'stopping');
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    await running?.stop();
    process.exit(failed ? 1 : 0);
  } catch (error) {
    log.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}
