/**
 * One stored answer. Its head lies in the index (and in memory while it is hot), its body in a file of its own, split
 * into blocks with a checksum each; a body of one block may also be in memory.
 *
 *     key ──> variants: StoredObject[] ──id──> file of blocks
 */
import { crc32 } from 'node:zlib';
import type { OriginAnswer } from './freshness.ts';
import type { CacheKey } from './key.ts';
import type { Selection } from './vary.ts';

/** The unit of reading, of checksums and of what the memory tier holds: large enough that a system call is cheap. */
export const BLOCK_BYTES = 256 * 1_024;

export interface StoredObject extends OriginAnswer {
  /** Names the body's file. */
  id: string;
  key: CacheKey;
  selection: Selection;
  /** The purge generation at which its fetch, or the last revalidation, began. */
  generation: number;
  /** Of Surrogate-Key and Cache-Tag. */
  tags: readonly string[];
  /** Bytes of the body. */
  size: number;
  /** Of a slice: how long the whole object is. */
  total?: number | undefined;
  /** CRC-32 of each block. */
  checksums: readonly number[];
}

/** Folds a body into the checksums of its blocks, whatever pieces it comes in. */
export class BlockChecksums {
  readonly #done: number[] = [];
  #current = 0;
  #filled = 0;

  add(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#current = crc32(part, this.#current);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === BLOCK_BYTES) this.#close();
    }
  }

  finish(): number[] {
    if (this.#filled > 0) this.#close();
    return this.#done;
  }

  #close(): void {
    this.#done.push(this.#current);
    this.#current = 0;
    this.#filled = 0;
  }
}

/** Stored bytes that are not what was stored: a torn write or a flipped bit. */
export class CorruptBody extends Error {}
