/**
 * What is hot: by key all variants of a URL, their heads, and the bodies that fit into one block. Bounded in bytes.
 * A key that is here is here with all of its variants, so that one look is enough.
 */
import { type Eviction, s3Fifo } from './eviction.ts';
import type { StoredObject } from './stored-object.ts';
import './collector.ts';

/** Variants of one key, newest first. */
export interface HotEntry {
  variants: StoredObject[];
  /** By object id. */
  bodies: Map<string, Buffer>;
  bytes: number;
}

export class MemoryTier {
  readonly #entries = new Map<string, HotEntry>();
  readonly #eviction: Eviction;
  readonly #limit: number;
  readonly #onEvict: (objects: number) => void;
  readonly #onGone: (id: string) => void;
  #bytes = 0;

  /** `onEvict` hears of objects that had to make room, `onGone` of each that is not here any more. */
  constructor(
    limit: number,
    onEvict: (objects: number) => void = () => {},
    onGone: (id: string) => void = () => {},
    eviction: Eviction = s3Fifo(),
  ) {
    this.#limit = limit;
    this.#onEvict = onEvict;
    this.#onGone = onGone;
    this.#eviction = eviction;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): HotEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#eviction.used(key);
    return entry;
  }

  /** Puts all variants of a key in, and keeps the bodies that still belong to one of them. */
  set(key: string, variants: StoredObject[], bodies: Iterable<readonly [string, Buffer]> = []): void {
    const ids = new Set(variants.map(({ id }) => id));
    const kept = [...(this.#entries.get(key)?.bodies ?? []), ...bodies].filter(([id]) => ids.has(id));
    if (variants.length === 0) {
      this.delete(key);
      return;
    }
    const before = this.#entries.get(key);
    for (const { id } of before?.variants ?? []) if (!ids.has(id)) this.#onGone(id);
    this.#bytes -= before?.bytes ?? 0;
    const entry: HotEntry = { variants, bodies: new Map(kept), bytes: 0 };
    entry.bytes = weight(entry);
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
    this.#eviction.put(key, entry.bytes);
    this.#makeRoom();
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    this.#eviction.removed(key);
    for (const { id } of entry.variants) this.#onGone(id);
  }

  /** Removes the objects that match, and gives their ids. */
  removeWhere(matches: (object: StoredObject) => boolean): string[] {
    const removed: string[] = [];
    for (const [key, { variants }] of this.#entries) {
      const gone = variants.filter(matches);
      if (gone.length === 0) continue;
      removed.push(...gone.map(({ id }) => id));
      this.set(
        key,
        variants.filter((object) => !gone.includes(object)),
      );
    }
    return removed;
  }

  /** Puts others in the place of the objects that match, with their bodies, and gives their ids. */
  replaceWhere(
    matches: (object: StoredObject) => boolean,
    replacement: (object: StoredObject) => StoredObject,
  ): string[] {
    const replaced: string[] = [];
    for (const [key, { variants }] of this.#entries) {
      const found = variants.filter(matches);
      if (found.length === 0) continue;
      replaced.push(...found.map(({ id }) => id));
      this.set(
        key,
        variants.map((object) => (found.includes(object) ? replacement(object) : object)),
      );
    }
    return replaced;
  }

  #makeRoom(): void {
    while (this.#bytes > this.#limit) {
      const key = this.#eviction.next();
      if (key === undefined) return;
      this.#onEvict(this.#entries.get(key)?.variants.length ?? 0);
      this.delete(key);
    }
  }
}

/** A guess at what a head costs beside its header text: objects, strings, map slots. */
const HEAD_BYTES = 1_024;

function weight({ variants, bodies }: HotEntry): number {
  let bytes = 0;
  for (const { headers, checksums } of variants) {
    bytes += HEAD_BYTES + checksums.length * 8;
    for (const [name, value] of headers) bytes += name.length + value.length;
  }
  for (const body of bodies.values()) bytes += body.length;
  return bytes;
}
