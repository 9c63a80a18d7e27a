/**
 * Where a log's lines go: in order, and nobody waits for them; what is left when the program ends is written then. Where
 * nobody reads any more (`weir … | head`, a supervisor that was killed) lines are dropped. pino's own destination tries
 * such a write again for ever when the program ends: it never would.
 */
import { write, writeSync } from 'node:fs';

/** A pipe that is full: its reader is slow. */
const isFull = (error: unknown) =>
  error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EBUSY');
const AGAIN_MS = 20;
/** For all that is left, of a program that ends. */
const LAST_WORDS_MS = 1_000;

export class LogDestination {
  readonly #descriptor: number;
  #lines: string[] = [];
  /** Under way, from `#at` on. */
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #isGone = false;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(line: string): void {
    if (this.#isGone) return;
    this.#lines.push(line);
    if (this.#at === this.#chunk.length) this.#next();
  }

  /** For the end of the program: what was handed to the system before is not written again. */
  flushSync(): void {
    const left = Buffer.from(this.#lines.splice(0).join(''));
    const enough = performance.now() + LAST_WORDS_MS;
    for (let at = 0; at < left.length && !this.#isGone && performance.now() < enough; ) {
      try {
        at += writeSync(this.#descriptor, left, at);
      } catch (error) {
        if (!isFull(error)) this.#isGone = true;
      }
    }
  }

  #next(): void {
    this.#chunk = Buffer.from(this.#lines.splice(0).join(''));
    this.#at = 0;
    if (this.#chunk.length > 0) this.#write();
  }

  #write(): void {
    write(this.#descriptor, this.#chunk, this.#at, null, null, (error, bytes) => {
      if (error && isFull(error)) return void setTimeout(() => this.#write(), AGAIN_MS);
      if (error) return this.#drop();
      this.#at += bytes;
      if (this.#at < this.#chunk.length) this.#write();
      else this.#next();
    });
  }

  #drop(): void {
    this.#isGone = true;
    this.#lines = [];
    this.#at = this.#chunk.length;
  }
}
