/**
 * The body of an origin's answer, for one reader, piece by piece as undici has it from the socket: a stream of Node's
 * between the two would be a fifth of what a fetch of 64 KiB costs. Who passes it on as a stream gets one.
 */
import { Readable } from 'node:stream';

/** What has come and was not read; then the origin waits. More than one piece, which is 64 KiB. */
const MOST_WAITING_BYTES = 128 * 1_024;
/** More than this of a body that nobody wants is not read to its end, so that the connection can be used again. */
const MOST_DUMPED_BYTES = 128 * 1_024;

/** The rim: undici. */
export interface BodyControl {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

interface Reader {
  resolve: (chunk: Buffer | undefined) => void;
  reject: (error: Error) => void;
}

export class OriginBody {
  readonly #control: BodyControl;
  readonly #chunks: Buffer[] = [];
  #waitingBytes = 0;
  #isEnded = false;
  #failure: Error | undefined;
  #reader: Reader | undefined;
  /** Bytes that are still to be read, where that is known. */
  #left: number | undefined;

  constructor(control: BodyControl) {
    this.#control = control;
  }

  /**
   * What it is by its Content-Range, told before it is read. undici holds a body against Content-Length alone, and one in
   * chunks has none: with a byte more or less than its range, what is put behind it would stand at the wrong place.
   */
  holdTo(bytes: number): void {
    this.#left = bytes;
  }

  /** A piece, in order; nothing at the end. Throws where the origin breaks off before the end it announced. */
  read(): Promise<Buffer | undefined> {
    return this.#left === undefined ? this.#next() : this.#counted(this.#left);
  }

  async #counted(before: number): Promise<Buffer | undefined> {
    const chunk = await this.#next();
    const left = before - (chunk?.length ?? 0);
    this.#left = left;
    if (left >= 0 && (chunk !== undefined || left === 0)) return chunk;
    this.abandon();
    throw new Error(
      left < 0 ? 'the body is longer than its range' : `the body lacks ${left} bytes of its range`,
    );
  }

  #next(): Promise<Buffer | undefined> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#waitingBytes -= chunk.length;
      if (this.#chunks.length === 0) this.#control.resume();
      return Promise.resolve(chunk);
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isEnded) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** Nobody will read it: its connection ends, if it has not all come. */
  abandon(): void {
    this.#chunks.length = 0;
    if (!this.#isEnded) this.#control.abort(new Error('nobody reads this answer any more'));
  }

  /** Nobody will read it, but it is short: its connection is kept. */
  async dump(): Promise<void> {
    try {
      for (let bytes = 0; bytes <= MOST_DUMPED_BYTES; ) {
        const chunk = await this.read();
        if (chunk === undefined) return;
        bytes += chunk.length;
      }
      this.abandon();
    } catch {
      // It broke off by itself.
    }
  }

  stream(): Readable {
    const stream = new Readable({
      // What is at hand is held here.
      highWaterMark: 1,
      read: () => {
        this.read().then(
          (chunk) => stream.push(chunk ?? null),
          (error: Error) => stream.destroy(error),
        );
      },
      destroy: (error, done) => {
        this.abandon();
        done(error);
      },
    });
    return stream;
  }

  /** From the origin: a piece. */
  push(chunk: Buffer): void {
    // undici hands one of no bytes on where it is resumed before more has come: who reads would take it for the end.
    if (chunk.length === 0) return;
    const reader = this.#takeReader();
    if (reader !== undefined) {
      reader.resolve(chunk);
      return;
    }
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > MOST_WAITING_BYTES) this.#control.pause();
  }

  /** From the origin: that was all. */
  end(): void {
    this.#isEnded = true;
    this.#takeReader()?.resolve(undefined);
  }

  /** From the origin: it broke off. What came before is read first. */
  fail(error: Error): void {
    this.#isEnded = true;
    this.#failure = error;
    this.#takeReader()?.reject(error);
  }

  #takeReader(): Reader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }
}
