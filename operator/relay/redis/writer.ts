/**
 * Writes what is said in order, many at once, numbered from 1 in each term. When a write fails, what waits is lost with
 * it, and so is all that is said until the next term begins: a queue would grow as long as Redis is away, and what it
 * held would be old.
 */
import { randomUUID } from 'node:crypto';

/** One script call; a Redis is busy for less than a millisecond. */
const AT_ONCE = 200;
/** Redis is there and can not keep up. */
const MAX_WAITING = 20_000;

export interface Numbered<S> {
  term: string;
  n: number;
  say: S;
}

interface Waiting<S> {
  message: Numbered<S>;
  written: () => void;
  lost: (error: Error) => void;
}

interface WriterOptions<S> {
  write: (messages: Numbered<S>[]) => Promise<void>;
  /** Once a term. */
  onLost: (error: Error) => void;
}

export class Writer<S> {
  readonly #options: WriterOptions<S>;
  #term: string | undefined;
  #n = 0;
  #waiting: Waiting<S>[] = [];
  #writing = false;

  constructor(options: WriterOptions<S>) {
    this.#options = options;
  }

  /** Whether what is said is written, as far as is known. */
  get works(): boolean {
    return this.#term !== undefined;
  }

  begin(): void {
    this.#term = randomUUID();
    this.#n = 0;
  }

  /** Ends the term: something that was written is lost, or nobody should hear more of us. */
  fail(error: Error): void {
    const waiting = this.#waiting.splice(0);
    const worked = this.works;
    this.#term = undefined;
    for (const { lost } of waiting) lost(error);
    if (worked) this.#options.onLost(error);
  }

  say(say: S): void {
    this.written(say).catch(() => {});
  }

  /** Resolves when it is written; rejects when it is lost. */
  written(say: S): Promise<void> {
    const term = this.#term;
    if (term === undefined) return Promise.reject(new Error('Redis does not answer'));
    this.#n += 1;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ message: { term, n: this.#n, say }, written: resolve, lost: reject });
    if (this.#waiting.length > MAX_WAITING) this.fail(new Error('Redis does not keep up'));
    else if (!this.#writing) void this.#drain();
    return promise;
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    // What is said in one turn goes out at once.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, AT_ONCE);
      try {
        await this.#options.write(batch.map(({ message }) => message));
        for (const { written } of batch) written();
      } catch (error) {
        this.#waiting.unshift(...batch);
        this.fail(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.#writing = false;
  }
}
