/**
 * A function from addresses of one IP version to small numbers, as flat tables: 256 entries for the first byte, 256 for
 * the second where the first does not decide, and below them a binary trie of pairs.
 *
 *     root[first byte] ─> leaf | root[table + second byte] ─> leaf | node ─bit─> leaf | node ─bit─> …
 *
 * An entry below 0 is a leaf, the inverse of `length << 23 | result`; any other is a node's number. Neighbours with one
 * result are one leaf, so that a leaf's length is the widest prefix for which the result is the same. The arrays lie
 * in shared memory: a thread hands them to another without a copy.
 */
import { bitAt } from './ip-address.ts';

export interface PrefixTable {
  root: Int32Array;
  nodes: Int32Array;
}

/** What a table is built from: a binary trie over addresses. A node below 0 ends it: its inverse is the value. */
export interface PrefixSource {
  root: number;
  child(node: number, bit: 0 | 1): number;
}

/** A source in which nobody is found. */
export const NOBODY: PrefixSource = { root: ~0, child: () => ~0 };

/** Tables for a byte each: where wide networks decide, all that is looked at stays in the nearest cache. */
const TABLE_BITS = 8;
const ROOT_BITS = 2 * TABLE_BITS;
const RESULT_BITS = 23;
const MAX_RESULT = 2 ** RESULT_BITS - 1;

export function resultOf(leaf: number): number {
  return leaf & MAX_RESULT;
}

export function lengthOf(leaf: number): number {
  return leaf >>> RESULT_BITS;
}

/** The leaf that holds an address, for `resultOf` and `lengthOf`. */
export function findLeaf({ root, nodes }: PrefixTable, bytes: Uint8Array): number {
  let entry = root[bytes[0] ?? 0] ?? -1;
  if (entry >= 0) entry = root[entry + (bytes[1] ?? 0)] ?? -1;
  for (let depth = ROOT_BITS; entry >= 0; depth++) {
    const bit = ((bytes[depth >> 3] ?? 0) >> (7 - (depth & 7))) & 1;
    entry = nodes[2 * entry + bit] ?? -1;
  }
  return ~entry;
}

/** Walks all sources at once; where each of them has ended, `resolve` makes one result of their values. */
export function buildPrefixTable(
  sources: readonly PrefixSource[],
  bits: 32 | 128,
  resolve: (values: Int32Array, at: number) => number,
): PrefixTable {
  const count = sources.length;
  /** The nodes on the way, `count` for each depth. */
  const path = new Int32Array((bits + 1) * count);
  for (const [index, { root }] of sources.entries()) path[index] = root;
  const nodes = new GrowingPairs();

  const descend = (depth: number, bit: 0 | 1): number => {
    const from = depth * count;
    for (let index = 0; index < count; index++) {
      const node = path[from + index] ?? -1;
      path[from + count + index] = node < 0 ? node : (sources[index]?.child(node, bit) ?? -1);
    }
    return build(depth + 1);
  };
  /** The entry for the nodes at `depth`; a leaf without its length, which is known where it comes to stand. */
  const build = (depth: number): number => {
    const from = depth * count;
    let ended = true;
    for (let index = 0; index < count; index++) ended &&= (path[from + index] ?? -1) < 0;
    if (ended || depth === bits) return ~resolve(path, from);
    const left = descend(depth, 0);
    const right = descend(depth, 1);
    return left < 0 && left === right ? left : nodes.add(atDepth(left, depth + 1), atDepth(right, depth + 1));
  };

  const top = build(0);
  return withRoot(atDepth(top, 0), nodes);
}

/**
 * The leaf that a table of these sources would have for one address, found without building it: down the address's
 * way, and up again for as long as the other side has the same result everywhere.
 */
export function findLeafIn(
  sources: readonly PrefixSource[],
  bytes: Uint8Array,
  resolve: (values: Int32Array, at: number) => number,
): number {
  const step = (nodes: Int32Array<ArrayBuffer>, bit: 0 | 1) =>
    nodes.map((node, index) => (node < 0 ? node : (sources[index]?.child(node, bit) ?? -1)));
  const ended = (nodes: Int32Array<ArrayBuffer>): boolean => nodes.every((node) => node < 0);
  const isAll = (nodes: Int32Array<ArrayBuffer>, result: number): boolean =>
    ended(nodes)
      ? resolve(nodes, 0) === result
      : isAll(step(nodes, 0), result) && isAll(step(nodes, 1), result);
  const way: Int32Array<ArrayBuffer>[] = [Int32Array.from(sources, ({ root }) => root)];
  let last = way[0] ?? new Int32Array();
  for (let depth = 0; !ended(last) && depth < bytes.length * 8; depth++) {
    last = step(last, bitAt(bytes, depth));
    way.push(last);
  }
  const result = resolve(last, 0);
  let depth = way.length - 1;
  for (; depth > 0; depth--) {
    const parent = way[depth - 1];
    if (parent && !isAll(step(parent, bitAt(bytes, depth - 1) === 1 ? 0 : 1), result)) break;
  }
  return (depth << RESULT_BITS) | result;
}

function atDepth(entry: number, depth: number): number {
  return entry < 0 ? ~((depth << RESULT_BITS) | ~entry) : entry;
}

/** Makes tables of the uppermost levels; their nodes are not needed any more and stay behind unused. */
function withRoot(top: number, pairs: GrowingPairs): PrefixTable {
  const below = (entry: number, byte: number): number => {
    let found = entry;
    for (let bit = TABLE_BITS - 1; bit >= 0 && found >= 0; bit--)
      found = pairs.get(found, (byte >> bit) & 1 ? 1 : 0);
    return found;
  };
  const tableOf = (entry: number) => Array.from({ length: 1 << TABLE_BITS }, (_, byte) => below(entry, byte));
  const first = tableOf(top);
  const tables = [...first];
  for (const [byte, entry] of first.entries()) {
    if (entry < 0) continue;
    tables[byte] = tables.length;
    tables.push(...tableOf(entry));
  }
  const root = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * tables.length));
  root.set(tables);
  return { root, nodes: pairs.shared() };
}

class GrowingPairs {
  #pairs = new Int32Array(1 << 16);
  #size = 0;

  add(left: number, right: number): number {
    if (2 * this.#size === this.#pairs.length) {
      const larger = new Int32Array(this.#pairs.length * 2);
      larger.set(this.#pairs);
      this.#pairs = larger;
    }
    this.#pairs[2 * this.#size] = left;
    this.#pairs[2 * this.#size + 1] = right;
    return this.#size++;
  }

  get(node: number, side: 0 | 1): number {
    return this.#pairs[2 * node + side] ?? -1;
  }

  shared(): Int32Array {
    const out = new Int32Array(new SharedArrayBuffer(8 * this.#size));
    out.set(this.#pairs.subarray(0, 2 * this.#size));
    return out;
  }
}
