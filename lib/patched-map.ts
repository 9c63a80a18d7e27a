/**
 * A map that is a value: `withEntry` gives another one, and the old one stays as it was. A copy of all of it for each
 * of a thousand reports would be a million entries; here the two share their keys, and all values but one row of them.
 * So what differs between two of them is found without looking at the rest.
 */

/** Values in a row: about the root of a thousand entries, where a row and the list of rows cost the same to copy. */
const ROW = 32;

export function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  if (!map.has(key)) return new Map(map).set(key, value);
  return (map instanceof PatchedMap ? map : patchable(map)).with(key, value);
}

/**
 * Many at once, in one pass over what is there: ten thousand new keys one after the other would be ten thousand copies.
 * The very same map where nothing changes.
 */
export function withEntries<K, V>(map: ReadonlyMap<K, V>, entries: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
  const changes = [...entries].filter(([key, value]) => map.get(key) !== value || !map.has(key));
  if (changes.length === 0) return map;
  if (changes.every(([key]) => map.has(key)))
    return (map instanceof PatchedMap ? map : patchable(map)).withAll(changes);
  const after = new Map(map);
  for (const [key, value] of changes) after.set(key, value);
  return after;
}

/** Those of which `after` has another value, or that only `after` has. */
export function* changedEntries<K, V>(
  before: ReadonlyMap<K, V>,
  after: ReadonlyMap<K, V>,
): Generator<[K, V]> {
  if (before === after) return;
  const isNew = ([key, value]: [K, V]) => before.get(key) !== value || !before.has(key);
  for (const row of shareKeys(before, after) ? after.unlike(before) : after) if (isNew(row)) yield row;
}

/** Those that only `before` has. */
export function goneKeys<K, V>(before: ReadonlyMap<K, V>, after: ReadonlyMap<K, V>): K[] {
  if (before === after || shareKeys(before, after)) return [];
  return [...before.keys()].filter((key) => !after.has(key));
}

function shareKeys<K, V>(before: ReadonlyMap<K, V>, after: ReadonlyMap<K, V>): after is PatchedMap<K, V> {
  return before instanceof PatchedMap && after instanceof PatchedMap && before.frame === after.frame;
}

function patchable<K, V>(map: ReadonlyMap<K, V>): PatchedMap<K, V> {
  const [keys, values] = [[...map.keys()], [...map.values()]];
  const places = new Map(keys.map((key, at) => [key, at] as const));
  const rows: V[][] = [];
  for (let at = 0; at < values.length; at += ROW) rows.push(values.slice(at, at + ROW));
  return new PatchedMap({ keys, places }, rows);
}

/** What maps share that come of one another: their keys in order, and at which place each of them stands. */
interface Frame<K> {
  keys: readonly K[];
  places: ReadonlyMap<K, number>;
}

class PatchedMap<K, V> implements ReadonlyMap<K, V> {
  readonly frame: Frame<K>;
  readonly rows: readonly (readonly V[])[];

  constructor(frame: Frame<K>, rows: readonly (readonly V[])[]) {
    this.frame = frame;
    this.rows = rows;
  }

  /** Of a key that it has. */
  with(key: K, value: V): PatchedMap<K, V> {
    const place = this.frame.places.get(key) ?? 0;
    const at = Math.floor(place / ROW);
    const row = this.rows[at] ?? [];
    return new PatchedMap(this.frame, this.rows.with(at, row.with(place % ROW, value)));
  }

  /** Of keys that it has. */
  withAll(changes: readonly (readonly [K, V])[]): PatchedMap<K, V> {
    const rows = [...this.rows];
    const own = new Map<number, V[]>();
    for (const [key, value] of changes) {
      const place = this.frame.places.get(key) ?? 0;
      const at = Math.floor(place / ROW);
      const row = own.get(at) ?? [...(rows[at] ?? [])];
      row[place % ROW] = value;
      own.set(at, row);
      rows[at] = row;
    }
    return new PatchedMap(this.frame, rows);
  }

  get size(): number {
    return this.frame.keys.length;
  }

  has(key: K): boolean {
    return this.frame.places.has(key);
  }

  get(key: K): V | undefined {
    const place = this.frame.places.get(key);
    return place === undefined ? undefined : this.rows[Math.floor(place / ROW)]?.[place % ROW];
  }

  keys(): MapIterator<K> {
    return this.frame.places.keys();
  }

  *values(): MapIterator<V> {
    for (const row of this.rows) for (const value of row) yield value;
  }

  entries(): MapIterator<[K, V]> {
    return this.#entriesOf(() => true);
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this) visit(value, key, this);
  }

  /** The entries in rows that the other one of the same keys does not share. */
  unlike(other: ReadonlyMap<K, V>): MapIterator<[K, V]> {
    const rows = other instanceof PatchedMap ? other.rows : [];
    return this.#entriesOf((row, at) => row !== rows[at]);
  }

  *#entriesOf(isWanted: (row: readonly V[], at: number) => boolean): MapIterator<[K, V]> {
    const { keys } = this.frame;
    for (const [at, row] of this.rows.entries()) {
      if (!isWanted(row, at)) continue;
      // The keys of a row are as many as its values.
      for (const [index, value] of row.entries()) yield [keys[at * ROW + index] as K, value];
    }
  }
}
