/** Faults of the disk: counted, all of them, logged once in a while, and read as "not there". */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { EdgeMetrics } from '../metrics.ts';

export type DiskOperation = 'read' | 'write';

/** A full disk fails with every object: once in this time is enough for the log, the metric has them all. */
const LOG_EVERY_MS = 10_000;

export class DiskFaults {
  readonly #options: { metrics: EdgeMetrics; log: Log; clock: Clock };
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: { metrics: EdgeMetrics; log: Log; clock: Clock }) {
    this.#options = options;
  }

  failed(operation: DiskOperation, error: unknown): void {
    const { metrics, log, clock } = this.#options;
    metrics.storeErrors.inc({ operation });
    if (clock.now() - this.#loggedAt < LOG_EVERY_MS) return;
    this.#loggedAt = clock.now();
    log.warn({ err: error, operation }, 'the disk tier does not work as it should; answers pass through');
  }

  /** What it gives, or nothing where it failed. */
  try<T>(operation: DiskOperation, run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.failed(operation, error);
      return undefined;
    }
  }
}
