/**
 * How often each of many keys was counted of late, in a table of fixed size: a flood of forged addresses cannot grow
 * it. Counts decay exponentially; of the four places that a key may have the lowest count gives way.
 */

const WAYS = 4;

/**
 * Where counts stand. Threads that share it count together, without locks: two that count one key at the same moment may
 * count it once, which a limit can bear.
 */
export interface CounterMemory {
  tags: Uint32Array;
  loads: Float64Array;
  times: Float64Array;
}

/** `groups` is a power of two. */
export function counterMemory(groups: number): CounterMemory {
  const places = groups * WAYS;
  const shared = (bytes: number) => new SharedArrayBuffer(bytes * places);
  return {
    tags: new Uint32Array(shared(Uint32Array.BYTES_PER_ELEMENT)),
    loads: new Float64Array(shared(Float64Array.BYTES_PER_ELEMENT)),
    times: new Float64Array(shared(Float64Array.BYTES_PER_ELEMENT)),
  };
}

export class DecayingCounters {
  readonly #mask: number;
  readonly #decayPerMs: number;
  readonly #tags: Uint32Array;
  readonly #loads: Float64Array;
  readonly #times: Float64Array;

  /** After `meanLifeMs` a count has fallen to 1/e of itself. */
  constructor({ tags, loads, times }: CounterMemory, meanLifeMs: number) {
    this.#mask = tags.length / WAYS - 1;
    this.#decayPerMs = 1 / meanLifeMs;
    this.#tags = tags;
    this.#loads = loads;
    this.#times = times;
  }

  /** The place of the key with this hash and tag; the count there is brought up to `now`. */
  place(hash: number, tag: number, now: number): number {
    const first = (hash & this.#mask) * WAYS;
    let lowest = first;
    for (let at = first; at < first + WAYS; at++) {
      this.#decay(at, now);
      if (this.#tags[at] === tag) return at;
      if (this.load(at) < this.load(lowest)) lowest = at;
    }
    this.#tags[lowest] = tag;
    this.#loads[lowest] = 0;
    return lowest;
  }

  load(place: number): number {
    return this.#loads[place] ?? 0;
  }

  count(place: number): void {
    this.#loads[place] = this.load(place) + 1;
  }

  #decay(at: number, now: number): void {
    const elapsed = now - (this.#times[at] ?? 0);
    // A clock that was set back: nothing decays until it is there again.
    if (elapsed <= 0) return;
    this.#times[at] = now;
    this.#loads[at] = this.load(at) * Math.exp(-elapsed * this.#decayPerMs);
  }
}
