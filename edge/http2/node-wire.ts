/**
 * What node:http2 holds for its connection: frames are pushed into it as they come from the client, and what it writes
 * goes to the client as it is, but for GOAWAY, which has to name the last stream that the fast path answered too.
 */
import { Duplex } from 'node:stream';
import { type FrameHead, HEAD_BYTES } from './frames.ts';

export interface NodeWireParts {
  /** To the client; whole frames, as node:http2 has them ready. */
  write: (chunks: readonly Buffer[], done: (error?: Error | null) => void) => void;
  /** Of each frame, before it is written; `payload` as far as it lies behind the head. */
  onFrame: (head: FrameHead & { length: number }, payload: Buffer) => void;
  /** It writes no more. */
  onEnd: () => void;
}

export class NodeWire extends Duplex {
  readonly #parts: NodeWireParts;
  /** The begin of a head that was cut. */
  #head: Buffer | undefined;
  #left = 0;

  constructor(parts: NodeWireParts) {
    super();
    this.#parts = parts;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    done();
    this.#parts.onEnd();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    done(error);
    this.#parts.onEnd();
  }

  #send(chunks: readonly Buffer[], done: (error?: Error | null) => void): void {
    for (const chunk of chunks) this.#look(chunk);
    this.#parts.write(chunks, done);
  }

  #look(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const passed = Math.min(this.#left, chunk.length - at);
        this.#left -= passed;
        at += passed;
        continue;
      }
      const missing = HEAD_BYTES - (this.#head?.length ?? 0);
      const part = chunk.subarray(at, at + missing);
      const head = this.#head === undefined ? part : Buffer.concat([this.#head, part]);
      at += part.length;
      if (head.length < HEAD_BYTES) {
        this.#head = head;
        return;
      }
      this.#head = undefined;
      this.#left = head.readUIntBE(0, 3);
      this.#parts.onFrame(
        {
          type: head[3] ?? 0,
          flags: head[4] ?? 0,
          stream: head.readUInt32BE(5) & 0x7fff_ffff,
          length: this.#left,
        },
        chunk.subarray(at, at + this.#left),
      );
    }
  }
}
