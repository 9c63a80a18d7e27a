/**
 * What may go to the disk: all, or what is asked for a second time. One-hit wonders, which are most of what a crawler or
 * a long tail asks for, then cost no write and push nothing out.
 */
import { crc32 } from 'node:zlib';

export type AdmissionMode = 'always' | 'secondRequest';

/** Keys that are remembered in each of two generations, so that forgetting costs nothing. */
const KEYS = 100_000;

export class Admission {
  readonly #mode: AdmissionMode;
  /** Checksums of keys: two that are alike have one of them admitted early. */
  #young = new Set<number>();
  #old = new Set<number>();

  constructor(mode: AdmissionMode) {
    this.#mode = mode;
  }

  /** It is being fetched: may it go to the disk? */
  admits(key: string): boolean {
    if (this.#mode === 'always') return true;
    const sum = crc32(key);
    if (this.#young.has(sum)) return true;
    const known = this.#old.has(sum);
    this.#young.add(sum);
    if (this.#young.size < KEYS) return known;
    this.#old = this.#young;
    this.#young = new Set();
    return known;
  }
}
