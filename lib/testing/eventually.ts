/** For tests: waits for what happens by itself soon, and not longer than a loaded machine may take. */
import { vi } from 'vitest';

const PATIENCE_MS = 15_000;

/** Tries `check` until it no longer throws, and gives what it returned; throws its last error after 15 s. */
export function eventually<T>(check: () => T | Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  return vi.waitFor(check, { timeout: patienceMs, interval: 25 });
}
