/**
 * A body on its way from the origin, read by any number of clients while it comes.
 *
 *     origin ──append──> pending (memory) ──written──> file        readers take what is in the file from there,
 *                            └───────────────────────────┘         and the rest from pending
 *
 * A body that fits into one block never gets a file here. A slow reader holds up nobody: it reads the file at its own
 * pace. Only when the file fails (disk full, I/O error, object too large) the fill turns into a relay: what is pending
 * stays until all readers had it, and the origin waits for the slowest of them. A reader for which the file had more has it
 * from the origin (rest-source.ts).
 */
import type { FileHandle } from 'node:fs/promises';
import type { Room } from './blocks.ts';
import type { ByteSource } from './byte-source.ts';
import { type Rest, UnreadableFill, withRest } from './rest-source.ts';
import { BLOCK_BYTES, BlockChecksums } from './stored-object.ts';

/** Bytes that may wait to be written before the origin is made to wait. */
const MAX_PENDING_BYTES = 4 * BLOCK_BYTES;

export interface FillBodyOptions {
  createFile: () => Promise<FileHandle>;
  /** Larger bodies are not stored. */
  maxBytes: number;
  /** Bytes have reached the file. */
  onWritten: (bytes: number) => void;
  /** It will not be stored after all: nobody new may join. */
  onRelay: (reason: unknown) => void;
  /** What was written cannot be read back. */
  onUnreadable: (reason: unknown) => void;
  rest: Rest;
}

/** A whole body: in memory when it fits into one block, else in the file; in neither when it was only relayed. */
export interface FilledBody {
  size: number;
  checksums: number[];
  kept: { in: 'memory'; bytes: Buffer } | { in: 'file' } | { in: 'nothing' };
}

const NOTHING = Buffer.alloc(0);

interface Reader {
  offset: number;
}

export class FillBody {
  readonly #options: FillBodyOptions;
  readonly #checksums = new BlockChecksums();
  readonly #readers = new Set<Reader>();
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Offset of the first pending byte; all before it are in the file (or were relayed). */
  #base = 0;
  #written = 0;
  #file: FileHandle | undefined;
  #writing: Promise<void> | undefined;
  #relaying = false;
  #ended = false;
  #released = false;
  #failure: Error | undefined;
  #wake: (() => void)[] = [];

  constructor(options: FillBodyOptions) {
    this.#options = options;
  }

  /** Bytes that have come from the origin. */
  get received(): number {
    return this.#base + this.#pendingBytes;
  }

  /** Nobody reads it any more and nothing stores it. */
  get abandoned(): boolean {
    return this.#relaying && this.#readers.size === 0;
  }

  async append(chunk: Buffer): Promise<void> {
    this.#checksums.add(chunk);
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.received > this.#options.maxBytes) this.#relay(new Error('larger than the cache'));
    if (!this.#relaying && this.received > BLOCK_BYTES) this.#writing ??= this.#write();
    this.#notify();
    while (this.#pendingBytes > MAX_PENDING_BYTES && !this.abandoned) await this.#change();
  }

  async end(): Promise<FilledBody> {
    while (this.#writing !== undefined) await this.#writing;
    this.#ended = true;
    this.#notify();
    const size = this.received;
    const checksums = this.#checksums.finish();
    if (this.#relaying) return { size, checksums, kept: { in: 'nothing' } };
    if (this.#file !== undefined) return { size, checksums, kept: { in: 'file' } };
    return { size, checksums, kept: { in: 'memory', bytes: Buffer.concat(this.#pending) } };
  }

  /** The origin broke off: every reader throws once it has read what came. */
  async fail(error: Error): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    this.#failure = error;
    this.#ended = true;
    this.#notify();
  }

  /** After `end` or `fail`, when nobody new will come: the file is closed once the last reader has left. */
  async release(): Promise<void> {
    this.#released = true;
    await this.#closeIfDone();
  }

  /** A reader that begins at `offset`, or nothing when parts of the body may be gone already. */
  reader(offset: number): ByteSource | undefined {
    if (this.#relaying || this.#released) return undefined;
    const reader: Reader = { offset };
    this.#readers.add(reader);
    const source: ByteSource = {
      read: async (at, room) => {
        reader.offset = at;
        if (this.#relaying) this.#trim();
        return await this.#read(at, room);
      },
      close: async () => {
        this.#readers.delete(reader);
        if (this.#relaying) this.#trim();
        this.#notify();
        await this.#closeIfDone();
      },
    };
    return withRest(source, this.#options.rest);
  }

  async #read(offset: number, room: Room): Promise<Buffer> {
    while (offset >= this.received && !this.#ended) await this.#change();
    if (offset < this.#written && this.#file !== undefined) {
      return await this.#readBack(this.#file, offset, room);
    }
    if (offset < this.received) return this.#pendingAt(offset);
    if (this.#failure !== undefined) throw this.#failure;
    return NOTHING;
  }

  async #readBack(file: FileHandle, offset: number, room: Room): Promise<Buffer> {
    const buffer = room.take();
    try {
      const length = Math.min(buffer.length, this.#written - offset);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      if (bytesRead === 0) throw new Error('the file that is being filled has lost bytes');
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      this.#options.onUnreadable(error);
      throw new UnreadableFill('what was fetched cannot be read back', { cause: error });
    }
  }

  #pendingAt(offset: number): Buffer {
    let start = this.#base;
    for (const chunk of this.#pending) {
      if (offset < start + chunk.length) return chunk.subarray(offset - start);
      start += chunk.length;
    }
    throw new Error(`byte ${offset} is not at hand: a bug`);
  }

  /** Writes what is pending, and what comes meanwhile. */
  async #write(): Promise<void> {
    try {
      this.#file ??= await this.#options.createFile();
      while (this.#pending.length > 0 && !this.#relaying) {
        const { bytesWritten } = await this.#file.writev(this.#pending.slice(), this.#written);
        this.#written += bytesWritten;
        this.#options.onWritten(bytesWritten);
        this.#forget(this.#written);
        this.#notify();
      }
    } catch (error) {
      this.#relay(error);
    }
    this.#writing = undefined;
    if (this.#relaying) this.#trim();
  }

  #relay(reason: unknown): void {
    if (this.#relaying) return;
    this.#relaying = true;
    this.#options.onRelay(reason);
    this.#trim();
  }

  /** While relaying, bytes go when the slowest reader has them. */
  #trim(): void {
    if (this.#writing !== undefined) return;
    this.#forget(Math.min(this.received, ...[...this.#readers].map(({ offset }) => offset)));
    this.#notify();
  }

  #forget(before: number): void {
    while (this.#base < before) {
      const [first] = this.#pending;
      if (first === undefined) return;
      const gone = Math.min(first.length, before - this.#base);
      if (gone === first.length) this.#pending.shift();
      else this.#pending[0] = first.subarray(gone);
      this.#base += gone;
      this.#pendingBytes -= gone;
    }
  }

  async #closeIfDone(): Promise<void> {
    if (!this.#released || this.#readers.size > 0) return;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resume of wake) resume();
  }
}
