/**
 * Longest-prefix match over networks of one IP version: a binary trie in two flat arrays, so that a hundred thousand
 * networks cost a few megabytes and no garbage.
 */
import { bitAt } from './ip-address.ts';
import type { PrefixSource } from './prefix-table.ts';

export interface Match<T> {
  value: T | undefined;
  /** Length of the network that matched; 0 when none did. */
  length: number;
  /** Every address that shares this many bits has the same match: how far the trie had to be followed. */
  depth: number;
}

const NONE = -1;

export class PrefixTrie<T> {
  /** Children of node n at 2n and 2n + 1; 0 is none, since the root is nobody's child. */
  #children = new Int32Array(64);
  #values = new Int32Array(32).fill(NONE);
  readonly #held: T[] = [];
  #size = 1;

  /** Adds a network. One that stands already keeps its first value. */
  add(bytes: Uint8Array, length: number, value: T): void {
    let node = 0;
    for (let depth = 0; depth < length; depth++) {
      const slot = 2 * node + bitAt(bytes, depth);
      const child = this.#children[slot] || this.#grow();
      this.#children[slot] = child;
      node = child;
    }
    if (this.#values[node] !== NONE) return;
    this.#values[node] = this.#held.push(value) - 1;
  }

  match(bytes: Uint8Array): Match<T> {
    const bits = bytes.length * 8;
    let node = 0;
    let depth = 0;
    let best = this.#values[0] ?? NONE;
    let length = 0;
    while (depth < bits) {
      const next = this.#children[2 * node + bitAt(bytes, depth)] ?? 0;
      if (next === 0) break;
      node = next;
      depth++;
      const value = this.#values[node] ?? NONE;
      if (value !== NONE) [best, length] = [value, depth];
    }
    // Where the trie forks and the address went the empty way, that bit mattered too.
    const forks = depth < bits && (this.#children[2 * node] || this.#children[2 * node + 1]);
    return { value: best === NONE ? undefined : this.#held[best], length, depth: forks ? depth + 1 : depth };
  }

  /** The trie as a source of a prefix table; `numberOf` numbers what it holds, from 1 on, and 0 is no match. */
  source(numberOf: (held: T) => number): PrefixSource {
    const children = this.#children;
    const numbers = this.#held.map(numberOf);
    /** For each node the value that holds there: its own, else its parent's, which has a lower number. */
    const inForce = new Int32Array(this.#size);
    for (let node = 0; node < this.#size; node++) {
      inForce[node] = this.#numberAt(node, numbers) ?? inForce[node] ?? 0;
      for (const child of children.subarray(2 * node, 2 * node + 2)) {
        if (child !== 0) inForce[child] = inForce[node] ?? 0;
      }
    }
    const entry = (node: number): number =>
      children[2 * node] || children[2 * node + 1] ? node : ~(inForce[node] ?? 0);
    return {
      root: entry(0),
      child(node, bit) {
        const next = children[2 * node + bit] ?? 0;
        return next === 0 ? ~(inForce[node] ?? 0) : entry(next);
      },
    };
  }

  #numberAt(node: number, numbers: readonly number[]): number | undefined {
    const held = this.#values[node] ?? NONE;
    return held === NONE ? undefined : numbers[held];
  }

  #grow(): number {
    const node = this.#size++;
    if (node >= this.#values.length) {
      const values = new Int32Array(this.#values.length * 2).fill(NONE);
      values.set(this.#values);
      this.#values = values;
      const children = new Int32Array(this.#children.length * 2);
      children.set(this.#children);
      this.#children = children;
    }
    return node;
  }
}
