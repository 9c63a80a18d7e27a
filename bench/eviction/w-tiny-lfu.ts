/**
 * W-TinyLFU (Einziger et al., 2017), weighed in bytes: a window of a hundredth for what is new, and a main part of two
 * segments. What leaves the window gets in only where it was asked for more often than what would have to go for it.
 */
import type { Eviction } from '../../edge/cache/eviction.ts';

const WINDOW_SHARE = 0.01;
const PROTECTED_SHARE = 0.8;

export function wTinyLfu(): Eviction {
  const window = new Segment();
  const probation = new Segment();
  const guarded = new Segment();
  const sketch = new FrequencySketch();
  const segmentOf = (key: string) => [window, probation, guarded].find((segment) => segment.has(key));

  function promote(key: string, bytes: number): void {
    probation.remove(key);
    guarded.add(key, bytes);
    while (guarded.bytes > (guarded.bytes + probation.bytes) * PROTECTED_SHARE) {
      const [oldest, weight] = guarded.oldest() ?? [];
      if (oldest === undefined || weight === undefined) return;
      guarded.remove(oldest);
      probation.add(oldest, weight);
    }
  }

  /** Before the first eviction there is room, and no contest: all but the window's share is main. */
  let filled = false;
  function fill(): void {
    const share = (window.bytes + probation.bytes + guarded.bytes) * WINDOW_SHARE;
    while (window.bytes > share) {
      const [key, bytes] = window.oldest() ?? [];
      if (key === undefined || bytes === undefined) return;
      window.remove(key);
      probation.add(key, bytes);
    }
  }

  function out(segment: Segment, key: string): string {
    segment.remove(key);
    return key;
  }

  return {
    put(key, bytes) {
      sketch.add(key);
      const segment = segmentOf(key) ?? window;
      segment.remove(key);
      segment.add(key, bytes);
    },
    used(key) {
      sketch.add(key);
      const segment = segmentOf(key);
      const bytes = segment?.remove(key);
      if (segment === undefined || bytes === undefined) return;
      segment.add(key, bytes);
      if (segment === probation) promote(key, bytes);
    },
    removed: (key) => void segmentOf(key)?.remove(key),
    next() {
      if (!filled) fill();
      filled = true;
      const total = window.bytes + probation.bytes + guarded.bytes;
      while (window.bytes > total * WINDOW_SHARE) {
        const [candidate, bytes] = window.oldest() ?? [];
        if (candidate === undefined || bytes === undefined) break;
        const [victim] = probation.oldest() ?? guarded.oldest() ?? [];
        if (victim === undefined) return out(window, candidate);
        if (sketch.count(candidate) <= sketch.count(victim)) return out(window, candidate);
        window.remove(candidate);
        probation.add(candidate, bytes);
        return out(probation.has(victim) ? probation : guarded, victim);
      }
      for (const segment of [probation, guarded, window]) {
        const [oldest] = segment.oldest() ?? [];
        if (oldest !== undefined) return out(segment, oldest);
      }
      return undefined;
    },
  };
}

/** Least recently used first. */
class Segment {
  bytes = 0;
  readonly #entries = new Map<string, number>();

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  add(key: string, bytes: number): void {
    this.#entries.set(key, bytes);
    this.bytes += bytes;
  }

  remove(key: string): number | undefined {
    const bytes = this.#entries.get(key);
    if (bytes === undefined) return undefined;
    this.#entries.delete(key);
    this.bytes -= bytes;
    return bytes;
  }

  oldest(): [string, number] | undefined {
    return this.#entries.entries().next().value;
  }
}

/** Exact counts up to 15, halved after so many additions: what a count-min sketch comes near to. */
class FrequencySketch {
  readonly #counts = new Map<string, number>();
  #added = 0;

  add(key: string): void {
    this.#counts.set(key, Math.min(15, this.count(key) + 1));
    if (++this.#added < 500_000) return;
    this.#added = 0;
    for (const [name, count] of this.#counts) {
      if (count < 2) this.#counts.delete(name);
      else this.#counts.set(name, count >> 1);
    }
  }

  count(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}
