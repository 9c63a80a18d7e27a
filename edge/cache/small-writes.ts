/**
 * Bodies of one block on their way from memory to their files. They are written on the event loop, once what came with
 * them has been answered: a write goes to the kernel's memory, and takes a fifth of what three trips through the thread
 * pool do. When the kernel makes a write wait for the disk, the next ones go through the pool until it has caught up.
 */
import type { FileHandle } from 'node:fs/promises';
import type { DiskOperation } from './disk-faults.ts';

/** The rim: the disk tier. */
export interface WritesTo {
  /** Before it returns. Throws. */
  write(id: string, bytes: Buffer): void;
  create(id: string): Promise<FileHandle>;
  /** Work that the end of the process waits for. */
  later(work: Promise<unknown>): void;
  failed(operation: DiskOperation, error: unknown): void;
}

interface Listener {
  /** It has not been purged or replaced since. */
  isWanted: (id: string) => boolean;
  onDone: (id: string, isWhole: boolean) => void;
}

/** A write that took longer was no copy: the disk was waited for. */
const SLOW_MS = 20;
/** For so long after one, no write is waited for. */
const ASIDE_MS = 1_000;

export class SmallWrites {
  readonly #disk: WritesTo;
  readonly #listener: Listener;
  readonly #now: () => number;
  readonly #waiting: [id: string, bytes: Buffer][] = [];
  #immediate: NodeJS.Immediate | undefined;
  #asideUntil = Number.NEGATIVE_INFINITY;

  constructor(disk: WritesTo, listener: Listener, now: () => number = () => performance.now()) {
    this.#disk = disk;
    this.#listener = listener;
    this.#now = now;
  }

  add(id: string, bytes: Buffer): void {
    this.#waiting.push([id, bytes]);
    this.#immediate ??= setImmediate(() => this.flush());
  }

  /** Writes what waits, or has it written. */
  flush(): void {
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    for (const [id, bytes] of this.#waiting.splice(0)) {
      if (!this.#listener.isWanted(id)) this.#listener.onDone(id, false);
      else if (this.#now() < this.#asideUntil) this.#disk.later(this.#writeAside(id, bytes));
      else this.#write(id, bytes);
    }
  }

  #write(id: string, bytes: Buffer): void {
    const begin = this.#now();
    const isWhole = this.#try(() => this.#disk.write(id, bytes));
    const end = this.#now();
    if (end - begin > SLOW_MS) this.#asideUntil = end + ASIDE_MS;
    this.#listener.onDone(id, isWhole);
  }

  #try(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      this.#disk.failed('write', error);
      return false;
    }
  }

  async #writeAside(id: string, bytes: Buffer): Promise<void> {
    let isWhole = true;
    try {
      await using file = await this.#disk.create(id);
      await file.writeFile(bytes);
    } catch (error) {
      this.#disk.failed('write', error);
      isWhole = false;
    }
    this.#listener.onDone(id, isWhole);
  }
}
