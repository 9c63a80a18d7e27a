/**
 * Full-jitter exponential back-off: attempt n waits a random time below min(cap, base * 2^n).
 * The whole range is random, so a thousand agents that lost one operator do not come back in one beat.
 */
export interface Backoff {
  /** Milliseconds to wait before the next attempt. */
  next(): number;
  reset(): void;
}

export function backoff(baseMs: number, capMs: number, random: () => number = Math.random): Backoff {
  let attempt = 0;
  return {
    next() {
      const ceiling = Math.min(capMs, baseMs * 2 ** attempt);
      attempt = Math.min(attempt + 1, 30);
      return Math.round(random() * ceiling);
    },
    reset() {
      attempt = 0;
    },
  };
}
