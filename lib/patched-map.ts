/**
 * A map that is a value: `withEntry` gives another one, and the old one stays as it was. A copy of all of it for each
 * of a thousand reports would be a million entries; here they share the bulk, and copy the few changes since.
 */

/** More changes than these make a new bulk: with a thousand entries, about where both cost the same. */
const MAX_CHANGES = 32;

export function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  const { bulk, changes } = map instanceof PatchedMap ? map : { bulk: map, changes: new Map<K, V>() };
  const fits = bulk.has(key) && (changes.size < MAX_CHANGES || changes.has(key));
  return fits ? new PatchedMap(bulk, new Map(changes).set(key, value)) : new Map(map).set(key, value);
}

class PatchedMap<K, V> implements ReadonlyMap<K, V> {
  readonly bulk: ReadonlyMap<K, V>;
  /** Of keys that the bulk has. */
  readonly changes: ReadonlyMap<K, V>;

  constructor(bulk: ReadonlyMap<K, V>, changes: ReadonlyMap<K, V>) {
    this.bulk = bulk;
    this.changes = changes;
  }

  get size(): number {
    return this.bulk.size;
  }

  has(key: K): boolean {
    return this.bulk.has(key);
  }

  get(key: K): V | undefined {
    return this.changes.has(key) ? this.changes.get(key) : this.bulk.get(key);
  }

  keys(): MapIterator<K> {
    return this.bulk.keys();
  }

  *entries(): MapIterator<[K, V]> {
    const { changes } = this;
    for (const row of this.bulk) {
      const [key] = row;
      // The bulk's value is of the same key, which the changes have.
      yield changes.has(key) ? [key, changes.get(key) as V] : row;
    }
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this) visit(value, key, this);
  }
}
