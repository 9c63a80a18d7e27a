/**
 * A map that is a value: `withEntry` gives another one, and the old one stays as it was. A copy of all of it for each
 * of a thousand reports would be a million entries; here the two share their keys, and all values but one row of them.
 * So what differs between two of them is found without looking at the rest. A new key comes behind those that there
 * are, in the list that older maps share: each knows how many of them are its own.
 */

/** Values in a row: about the root of a thousand entries, where a row and the list of rows cost the same to copy. */
const ROW = 32;

export function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return (map instanceof PatchedMap ? map : patchable(map)).with(key, value);
}

/**
 * Many at once, in one pass over what is there: ten thousand new keys one after the other would be ten thousand copies.
 * The very same map where nothing changes.
 */
export function withEntries<K, V>(map: ReadonlyMap<K, V>, entries: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
  const changes = [...entries].filter(([key, value]) => map.get(key) !== value || !map.has(key));
  if (changes.length === 0) return map;
  return (map instanceof PatchedMap ? map : patchable(map)).withAll(changes);
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
  if (before === after || (shareKeys(before, after) && before.size <= after.size)) return [];
  return [...before.keys()].filter((key) => !after.has(key));
}

/** But for those that came to one of them later. */
function shareKeys<K, V>(before: ReadonlyMap<K, V>, after: ReadonlyMap<K, V>): after is PatchedMap<K, V> {
  return before instanceof PatchedMap && after instanceof PatchedMap && before.frame === after.frame;
}

function patchable<K, V>(map: ReadonlyMap<K, V>): PatchedMap<K, V> {
  const [keys, values] = [[...map.keys()], [...map.values()]];
  const places = new Map(keys.map((key, at) => [key, at] as const));
  const rows: V[][] = [];
  for (let at = 0; at < values.length; at += ROW) rows.push(values.slice(at, at + ROW));
  return new PatchedMap({ keys, places }, rows, values.length);
}

/** What maps share that come of one another: their keys in order, and at which place each of them stands. Only grows. */
interface Frame<K> {
  readonly keys: K[];
  readonly places: Map<K, number>;
}

class PatchedMap<K, V> implements ReadonlyMap<K, V> {
  /** With the keys of maps that came of this one. */
  readonly frame: Frame<K>;
  readonly rows: readonly (readonly V[])[];
  /** So many of the keys are its own. */
  readonly size: number;

  constructor(frame: Frame<K>, rows: readonly (readonly V[])[], size: number) {
    this.frame = frame;
    this.rows = rows;
    this.size = size;
  }

  with(key: K, value: V): PatchedMap<K, V> {
    const place = this.#placeOf(key);
    if (place === undefined) return this.#grown([[key, value]]);
    const at = Math.floor(place / ROW);
    const row = this.rows[at] ?? [];
    return new PatchedMap(this.frame, this.rows.with(at, row.with(place % ROW, value)), this.size);
  }

  withAll(changes: readonly (readonly [K, V])[]): PatchedMap<K, V> {
    const added: (readonly [K, V])[] = [];
    const rows = [...this.rows];
    const own = new Set<readonly V[]>();
    for (const change of changes) {
      const place = this.#placeOf(change[0]);
      if (place === undefined) added.push(change);
      else setIn(rows, own, place, change[1]);
    }
    const patched = new PatchedMap(this.frame, rows, this.size);
    return added.length === 0 ? patched : patched.#grown(added);
  }

  /** With keys that it has not. Where another map grew before, in another way, the two can share none. */
  #grown(added: readonly (readonly [K, V])[]): PatchedMap<K, V> {
    if (this.frame.keys.length > this.size) return patchable(new Map([...this, ...added]));
    const { keys, places } = this.frame;
    const rows = [...this.rows];
    const own = new Set<readonly V[]>();
    for (const [key, value] of added) {
      const place = places.get(key) ?? keys.push(key) - 1;
      places.set(key, place);
      setIn(rows, own, place, value);
    }
    return new PatchedMap(this.frame, rows, keys.length);
  }

  #placeOf(key: K): number | undefined {
    const place = this.frame.places.get(key);
    return place !== undefined && place < this.size ? place : undefined;
  }

  has(key: K): boolean {
    return this.#placeOf(key) !== undefined;
  }

  get(key: K): V | undefined {
    const place = this.frame.places.get(key);
    if (place === undefined || place >= this.size) return undefined;
    return this.rows[Math.floor(place / ROW)]?.[place % ROW];
  }

  *keys(): MapIterator<K> {
    // Each of these places has a key.
    for (let place = 0; place < this.size; place++) yield this.frame.keys[place] as K;
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

/** Copies a row before it is written into for the first time. */
function setIn<V>(rows: (readonly V[])[], own: Set<readonly V[]>, place: number, value: V): void {
  const at = Math.floor(place / ROW);
  const known = rows[at] ?? [];
  const row = own.has(known) ? (known as V[]) : [...known];
  own.add(row);
  row[place % ROW] = value;
  rows[at] = row;
}
