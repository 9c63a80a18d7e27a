/**
 * Runs a slow step for the newest value only: while one runs, a newer value replaces the one that waits. Steps never
 * overlap. `step` must not throw; what it can fail at is its own to report.
 */
export interface Latest<T> {
  offer(value: T): void;
  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void>;
}

export function latest<T>(step: (value: T) => Promise<void>): Latest<T> {
  let waiting: { value: T } | undefined;
  let running: Promise<void> | undefined;
  const drain = async () => {
    for (let next = waiting; next; next = waiting) {
      waiting = undefined;
      await step(next.value);
    }
    running = undefined;
  };
  return {
    offer(value) {
      waiting = { value };
      running ??= drain();
    },
    idle: async () => running,
  };
}
