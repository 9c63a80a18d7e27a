/** A program's life: start, run until it is told to stop, stop cleanly. */
import type { Log } from './log.ts';
import { messageOf } from './message-of.ts';

/** A program that does not stop by itself within this is ended: whoever told it to stop is waiting. */
const STOP_WITHIN_MS = 10_000;

export interface Running {
  /** Goes on with its work while those who use it go elsewhere; comes before `stop`, and has no limit. */
  drain?(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when the program can't go on. */
  failed?: Promise<Error>;
}

/**
 * Starts, then stops on SIGTERM, SIGINT, or when the parent that started it with a channel is gone; told so before it is
 * up, it ends as it is. Told again while it drains, it stops at once. Exits 0 after a clean stop, 1 when it failed or the
 * stop did not end. `leavesSignals`: a terminal and systemd signal whole groups; this one's parent heeds them, and goes.
 */
export async function runUntilStopped(
  log: Log,
  start: () => Promise<Running>,
  { leavesSignals = false }: { leavesSignals?: boolean } = {},
): Promise<void> {
  const told = Promise.withResolvers<string>();
  const toldAgain = Promise.withResolvers<void>();
  let times = 0;
  const tell = (reason: string) => (times++ === 0 ? told.resolve(reason) : toldAgain.resolve());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, leavesSignals ? () => {} : tell);
  process.once('disconnect', () => tell('the parent is gone'));
  // It may have gone while our modules were loading; without a channel from the start this is undefined.
  if (process.connected === false) tell('the parent is gone');
  try {
    const running = await Promise.race([start(), told.promise.then(() => undefined)]);
    const reason = await Promise.race([told.promise, running?.failed ?? told.promise]);
    const failed = reason instanceof Error;
    if (failed) log.fatal({ err: reason }, reason.message);
    else log.info({ reason }, 'stopping');
    if (!failed && running?.drain) await Promise.race([running.drain(), toldAgain.promise]);
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    await running?.stop();
    process.exit(failed ? 1 : 0);
  } catch (error) {
    log.fatal({ err: error }, messageOf(error));
    process.exit(1);
  }
}
