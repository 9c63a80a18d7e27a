/**
 * Whole plans and sets of certificates on their way out, over all streams of this replica. A thousand agents that come at
 * once with nothing held would otherwise each have megabytes in their connection's buffers; here some are served, and the
 * others wait.
 */
import type { Clock } from '../../lib/clock.ts';

/** In all connections' buffers together. */
const MAX_BYTES = 64 * 2 ** 20;
/** One that takes longer to read what it is sent does not hold up the others. */
const PATIENCE_MS = 10_000;

/** Calls `sent` when it has left the process. */
type Send = (sent: () => void) => void;

export class LargeSends {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #waiting = new Map<object, () => void>();
  #bytes = 0;

  constructor(clock: Clock, maxBytes = MAX_BYTES) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  /** Sends at once or when others have gone; returns how to give the place up, whether it was sent or not. */
  enter(size: number, send: Send): () => void {
    const place = {};
    let leave = () => void this.#waiting.delete(place);
    const start = () => {
      this.#waiting.delete(place);
      this.#bytes += size;
      const stopWaiting = this.#clock.after(PATIENCE_MS, () => leave());
      leave = () => {
        leave = () => {};
        stopWaiting();
        this.#bytes -= size;
        this.#next();
      };
      send(() => leave());
    };
    this.#waiting.set(place, start);
    this.#next();
    return () => leave();
  }

  #next(): void {
    for (const start of this.#waiting.values()) {
      if (this.#bytes >= this.#maxBytes) return;
      start();
    }
  }
}
