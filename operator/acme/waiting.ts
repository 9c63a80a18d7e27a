/** Waiting for what others do, look by look, within bounds. */
import type { Clock } from '../../lib/clock.ts';

const POLL_MS = 1_000;
/** A server that validates takes seconds; agents and name servers that do not come up in this time do not at all. */
const PATIENCE_MS = 300_000;

/** What one look came to: it is there, or it is not yet, for what reason, and when whoever was asked wants to be asked again. */
export type Look<T> = { found: T } | { missing: string; retryAfterMs?: number | undefined };

export interface Waiting {
  clock: Clock;
  /** Aborted when the operator stops. */
  signal: AbortSignal;
}

/** Throws what `late` makes of the last look when patience is out, and whatever a look throws. */
export async function waitFor<T>(
  { clock, signal }: Waiting,
  look: () => Promise<Look<T>>,
  late: (missing: string) => Error,
): Promise<T> {
  const until = clock.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if ('found' in seen) return seen.found;
    if (clock.now() > until) throw late(seen.missing);
    // A server that says 0 is not to be asked in a loop.
    const againInMs = Math.max(POLL_MS, seen.retryAfterMs ?? POLL_MS);
    await pause(clock, signal, Math.min(againInMs, PATIENCE_MS));
  }
}

function pause(clock: Clock, signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = () => {
      cancel();
      reject(new Error('the operator stops'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
