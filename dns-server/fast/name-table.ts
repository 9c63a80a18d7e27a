/**
 * Names in packets to numbers: an open hash table over the names' wire form in lower case, four bytes at a time. Flat
 * and in shared memory, so that every thread looks up in the same one. What is known of a name stands together, since
 * among many names each look at another place is one that no cache has.
 *
 *     slots[hash] ─> place + 1 ─> records[place]: number, class, length in bytes, words
 *
 * The last word of a name overlaps the one before where its length is no multiple of four. A name of less than four
 * bytes (the root, `a.`) is never found: the ordinary path knows it.
 */
export interface NameTable {
  slots: Uint32Array;
  records: Uint32Array;
}

const WORD = 4;
/** Where in a record: its number among all names, the class of its domain, its length. */
const RECORD = { NUMBER: 0, CLASS: 1, LENGTH: 2, WORDS: 3 } as const;

/** `keys` are names as wire/name.ts has them, each with the class of its domain; numbers are places in the list. */
export function buildNameTable(names: readonly { key: string; class: number }[]): NameTable {
  // At most half full: a name that is not there is known after few steps.
  const slots = shared(2 ** Math.ceil(Math.log2(2 * names.length + 2)));
  const records = shared(wordsOf(names.filter(({ key }) => key.length >= WORD)) + 1);
  let place = 0;
  for (const [number, { key, class: ofDomain }] of names.entries()) {
    if (key.length >= WORD) place = add({ slots, records }, place, number, key, ofDomain);
  }
  return { slots, records };
}

/** Returns where the next one stands. */
function add(
  { slots, records }: NameTable,
  start: number,
  number: number,
  key: string,
  ofDomain: number,
): number {
  const view = viewOf(key);
  let slot = hashOf(view, 0, key.length) & (slots.length - 1);
  while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
  slots[slot] = start + 1;
  records.set([number, ofDomain, key.length], start);
  const last = key.length - WORD;
  let place = start + RECORD.WORDS;
  for (let at = 0; at < last; at += WORD) records[place++] = view.getUint32(at, true);
  records[place++] = view.getUint32(last, true);
  return place;
}

function viewOf(key: string): DataView {
  const bytes = Buffer.from(key, 'latin1');
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** What becomes of a name: it has this class from now on, or is gone. */
export interface NameFate {
  key: string;
  class: number | undefined;
}

/**
 * Another table in which these names are changed, with their numbers; the one before stays as it is, since threads look up
 * in it. New names get the numbers from `count` on. Nothing where the slots are no longer enough: what is gone stays in
 * its slot, with a length that no name has.
 */
export function changeNameTable(
  before: NameTable,
  count: number,
  fates: readonly NameFate[],
): { table: NameTable; numbers: (number | undefined)[] } | undefined {
  const places = fates.map(({ key }) => findName(before, viewOf(key), 0, key.length));
  const isNew = ({ key, class: of }: NameFate, index: number) =>
    of !== undefined && key.length >= WORD && (places[index] ?? -1) < 0;
  const fresh = fates.filter(isNew);
  if (2 * (count + fresh.length) + 2 > before.slots.length) return undefined;
  const slots = fresh.length === 0 ? before.slots : copied(before.slots, 0);
  const table = { slots, records: copied(before.records, wordsOf(fresh)) };
  // The last word is nobody's.
  let [next, end] = [count, before.records.length - 1];
  const numbers = fates.map((fate, index) => {
    const place = places[index] ?? -1;
    if (isNew(fate, index)) {
      end = add(table, end, next, fate.key, fate.class ?? 0);
      return next++;
    }
    if (place < 0) return undefined;
    if (fate.class === undefined) table.records[place + RECORD.LENGTH] = 0;
    else table.records[place + RECORD.CLASS] = fate.class;
    return numberOf(table, place);
  });
  return { table, numbers };
}

function copied(words: Uint32Array, more: number): Uint32Array {
  const copy = shared(words.length + more);
  copy.set(words);
  return copy;
}

function wordsOf(names: readonly { key: string }[]): number {
  return names.reduce((sum, { key }) => sum + RECORD.WORDS + Math.ceil(key.length / WORD), 0);
}

function shared(length: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(WORD * length));
}

export function numberOf({ records }: NameTable, place: number): number {
  return records[place + RECORD.NUMBER] ?? 0;
}

export function classOf({ records }: NameTable, place: number): number {
  return records[place + RECORD.CLASS] ?? 0;
}

/** The place of what is known of the name at `[start, end)` in a packet, in any case (RFC 4343), or -1. */
export function findName(
  { slots, records }: NameTable,
  packet: DataView,
  start: number,
  end: number,
): number {
  if (end - start < WORD) return -1;
  const mask = slots.length - 1;
  for (let slot = hashOf(packet, start, end) & mask; ; slot = (slot + 1) & mask) {
    const place = (slots[slot] ?? 0) - 1;
    if (place < 0) return -1;
    if (records[place + RECORD.LENGTH] === end - start && equal(records, place, packet, start, end))
      return place;
  }
}

function equal(records: Uint32Array, place: number, packet: DataView, start: number, end: number): boolean {
  const last = end - WORD;
  let to = place + RECORD.WORDS;
  for (let at = start; at < last; at += WORD, to++) {
    if (!alike(packet.getUint32(at, true), records[to])) return false;
  }
  return alike(packet.getUint32(last, true), records[to]);
}

function alike(word: number, known: number | undefined): boolean {
  return word === known || lower(word) === known;
}

function hashOf(packet: DataView, start: number, end: number): number {
  const last = end - WORD;
  let hash = 0;
  for (let at = start; at < last; at += WORD) hash = mix(hash, lower(packet.getUint32(at, true)));
  return mix(hash, lower(packet.getUint32(last, true)));
}

/** Multiplying spreads a word upwards, shifting brings it down again: the lowest bits choose the slot. */
function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/**
 * Four bytes at once to lower case: with 0x3f added what is at least "A" reaches the highest bit of its byte, with 0x25
 * what is above "Z"; where only the first does, the letter's 0x20 is set. No length byte is a letter: at most 63, it
 * lies below "A".
 */
export function lower(word: number): number {
  const low = word & 0x7f7f7f7f;
  const letters = (low + 0x3f3f3f3f) & ~(low + 0x25252525) & ~word & 0x80808080;
  return (word | (letters >>> 2)) >>> 0;
}
