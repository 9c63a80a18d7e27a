/**
 * What in memory goes first when there is no room: S3-FIFO (Yang et al., "FIFO queues are all you need for cache
 * eviction", SOSP 2023), weighed in bytes. A use counts up, and moves nothing.
 *
 *     new ──> small (a tenth) ──used again──> main ──not used──> gone       a scan passes through small, and
 *               └──not used──> gone, its name remembered                    leaves main as it was
 *     new, name remembered ─────────────────> main ──used──> main again
 *
 * `bench/eviction` measures it beside LRU and W-TinyLFU.
 */
export interface Eviction {
  /** It was put in, or weighs something else now. */
  put(key: string, bytes: number): void;
  used(key: string): void;
  /** It has gone for another reason than `next`. */
  removed(key: string): void;
  /** Takes out the one to go next. */
  next(): string | undefined;
}

/** Share of the bytes that is for what was not used again yet. */
const SMALL_SHARE = 0.1;
/** Uses that count. More would keep yesterday's favourite for too many rounds. */
const MAX_USES = 3;
/** Uses that let an entry pass from small to main: the first after its coming may be the same visit. */
const USES_FOR_MAIN = 2;

interface Entry {
  key: string;
  bytes: number;
  uses: number;
  queue: Queue;
  older: Entry | undefined;
  newer: Entry | undefined;
}

export function s3Fifo(): Eviction {
  const entries = new Map<string, Entry>();
  const small = new Queue();
  const main = new Queue();
  const remembered = new Names();

  function take(entry: Entry): string {
    entry.queue.remove(entry);
    entries.delete(entry.key);
    return entry.key;
  }

  function move(entry: Entry, uses: number): void {
    entry.queue.remove(entry);
    entry.uses = uses;
    main.add(entry);
  }

  function fromSmall(): string | undefined {
    for (let entry = small.oldest; entry !== undefined; entry = small.oldest) {
      if (entry.uses >= USES_FOR_MAIN) move(entry, 0);
      else {
        remembered.add(entry.key, entry.bytes, main.bytes + small.bytes);
        return take(entry);
      }
    }
    return undefined;
  }

  function fromMain(): string | undefined {
    for (let entry = main.oldest; entry !== undefined; entry = main.oldest) {
      if (entry.uses === 0) return take(entry);
      move(entry, entry.uses - 1);
    }
    return undefined;
  }

  return {
    put(key, bytes) {
      const known = entries.get(key);
      if (known !== undefined) {
        known.queue.bytes += bytes - known.bytes;
        known.bytes = bytes;
        return;
      }
      const queue = remembered.take(key) ? main : small;
      const entry: Entry = { key, bytes, uses: 0, queue, older: undefined, newer: undefined };
      entries.set(key, entry);
      queue.add(entry);
    },
    used(key) {
      const entry = entries.get(key);
      if (entry !== undefined && entry.uses < MAX_USES) entry.uses++;
    },
    removed(key) {
      const entry = entries.get(key);
      if (entry !== undefined) take(entry);
    },
    next() {
      const smallFirst = small.bytes > (small.bytes + main.bytes) * SMALL_SHARE;
      return smallFirst ? (fromSmall() ?? fromMain()) : (fromMain() ?? fromSmall());
    },
  };
}

/** First in, first out. A linked list: a Map's first key is found by stepping over all that were deleted before it. */
class Queue {
  oldest: Entry | undefined;
  bytes = 0;
  #newest: Entry | undefined;

  add(entry: Entry): void {
    entry.queue = this;
    entry.older = this.#newest;
    entry.newer = undefined;
    if (this.#newest === undefined) this.oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
    this.bytes += entry.bytes;
  }

  remove(entry: Entry): void {
    if (entry.older === undefined) this.oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === undefined) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    this.bytes -= entry.bytes;
  }
}

/** Names of what went out of small, for as many bytes as are in. In two generations, so that forgetting costs nothing. */
class Names {
  #young = new Set<string>();
  #old = new Set<string>();
  #youngBytes = 0;

  add(key: string, bytes: number, limit: number): void {
    this.#young.add(key);
    this.#youngBytes += bytes;
    if (this.#youngBytes < limit / 2) return;
    this.#old = this.#young;
    this.#young = new Set();
    this.#youngBytes = 0;
  }

  take(key: string): boolean {
    return this.#young.delete(key) || this.#old.delete(key);
  }
}
