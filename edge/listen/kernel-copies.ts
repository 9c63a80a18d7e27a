/**
 * Copies of hot bodies where the kernel can send from: a body in memory is copied for each answer, from such a copy
 * (memfd_create(2), Linux) its pages go out as they are. A copy never changes, and one that is closed while packets of it
 * are on their way stays until they have been acked: so no client gets bytes of another body.
 */
import { closeSync, writeSync } from 'node:fs';
import { importFfi } from '../../lib/ffi.ts';
import type { Log } from '../../lib/log.ts';
import type { HeldPart } from '../answer/ready-content.ts';
import type { ReadyHit } from '../answer/ready-hits.ts';
import type { HeldFile } from '../cache/open-bodies.ts';

/** Below this the copy into the socket costs no more than the calls (decision 0032). */
export const LEAST_BYTES = 32 * 1_024;
/** Answers of a body before a copy of it pays. */
const USES = 8;
/** Each is an open file. */
const MAX_COPIES = 1_024;
/** Of the memory tier's size: so much more may copies take, beside it. */
const SHARE = 1 / 8;
/** Bodies whose answers are counted. */
const MAX_COUNTED = 4_096;
const MFD_CLOEXEC = 1;

export interface KernelCopies {
  /** The bytes of `body` in a copy; nothing where there is none, which may change with the next use. */
  partOf(hit: Pick<ReadyHit, 'within' | 'length'>): HeldPart | undefined;
  close(): void;
}

/** Nothing where it does not work. */
export async function openKernelCopies(memoryBytes: number, log: Log): Promise<KernelCopies | undefined> {
  try {
    const ffi = await importFfi();
    const { functions } = ffi.dlopen('libc.so.6', {
      memfd_create: { arguments: ['string', 'uint32'], return: 'int32' },
    });
    const make = () => functions.memfd_create('weir-body', MFD_CLOEXEC);
    return new Copies(make, memoryBytes * SHARE, log);
  } catch (error) {
    log.info({ err: error }, 'hot bodies are written from memory: memfd_create does not work here');
    return undefined;
  }
}

class Copies implements KernelCopies {
  readonly #make: () => number;
  readonly #log: Log;
  /** By the stored object's id, in the order of their last use. */
  readonly #copies = new Map<string, Copy>();
  readonly #uses = new Map<string, number>();
  readonly #maxBytes: number;
  #bytes = 0;
  #isOff = false;

  constructor(make: () => number, maxBytes: number, log: Log) {
    this.#make = make;
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  partOf({ within, length }: Pick<ReadyHit, 'within' | 'length'>) {
    if (within === undefined || length < LEAST_BYTES) return undefined;
    const { id, bytes, first } = within;
    const file = this.#copies.get(id) ?? this.#count(id, bytes);
    if (file === undefined) return undefined;
    this.#copies.delete(id);
    this.#copies.set(id, file);
    return { file, first, length };
  }

  close(): void {
    this.#isOff = true;
    for (const id of this.#copies.keys()) this.#forget(id);
  }

  #count(id: string, bytes: Buffer): Copy | undefined {
    if (this.#isOff) return undefined;
    const uses = (this.#uses.get(id) ?? 0) + 1;
    if (uses < USES) {
      if (this.#uses.size >= MAX_COUNTED) this.#uses.clear();
      this.#uses.set(id, uses);
      return undefined;
    }
    // Begun anew: one that is pushed out pays with as many uses as the first time.
    this.#uses.delete(id);
    return this.#copy(id, bytes);
  }

  #copy(id: string, bytes: Buffer): Copy | undefined {
    const fd = this.#make();
    try {
      if (fd < 0) throw new Error('memfd_create gives no descriptor');
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      this.#isOff = true;
      this.#log.warn(
        { err: error },
        'hot bodies are written from memory from now on: no more copies can be made',
      );
      return undefined;
    }
    const copy = new Copy(fd, bytes.length, () => this.#forget(id));
    this.#bytes += bytes.length;
    this.#copies.set(id, copy);
    this.#makeRoom();
    return this.#copies.get(id);
  }

  #makeRoom(): void {
    while (this.#bytes > this.#maxBytes || this.#copies.size > MAX_COPIES) {
      const [oldest] = this.#copies.keys();
      if (oldest === undefined) break;
      this.#forget(oldest);
    }
  }

  #forget(id: string): void {
    const copy = this.#copies.get(id);
    if (copy === undefined) return;
    this.#copies.delete(id);
    this.#bytes -= copy.size;
    copy.letGo();
  }
}

class Copy implements HeldFile {
  readonly fd: number;
  readonly size: number;
  readonly doubt: () => void;
  /** One of those who keep it. */
  #holds = 1;

  constructor(fd: number, size: number, doubt: () => void) {
    this.fd = fd;
    this.size = size;
    this.doubt = doubt;
  }

  hold(): void {
    this.#holds++;
  }

  letGo(): void {
    if (--this.#holds === 0) closeSync(this.fd);
  }
}
