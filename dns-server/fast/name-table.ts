/**
 * Names to numbers, looked up by their bytes in a packet: an open hash table over the names' wire form in lower case.
 * Flat and in shared memory, so that every thread answers from the same one.
 *
 *     slots[hash] ─> number + 1 ─> offsets[number] ─> length, name
 */
export interface NameTable {
  slots: Uint32Array;
  offsets: Uint32Array;
  bytes: Uint8Array;
}

/** `keys` are names as wire/name.ts has them; a name's number is its place among them. */
export function buildNameTable(keys: readonly string[]): NameTable {
  // At most half full: a name that is not there is known after few steps.
  const slots = new Uint32Array(new SharedArrayBuffer(4 * 2 ** Math.ceil(Math.log2(2 * keys.length + 2))));
  const offsets = new Uint32Array(new SharedArrayBuffer(4 * Math.max(1, keys.length)));
  const size = keys.reduce((sum, key) => sum + 1 + key.length, 0);
  const bytes = new Uint8Array(new SharedArrayBuffer(Math.max(1, size)));
  let offset = 0;
  for (const [number, key] of keys.entries()) {
    offsets[number] = offset;
    bytes[offset++] = key.length;
    for (let index = 0; index < key.length; index++) bytes[offset + index] = key.charCodeAt(index);
    let slot = hashOf(bytes, offset, offset + key.length) & (slots.length - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = number + 1;
    offset += key.length;
  }
  return { slots, offsets, bytes };
}

/** The number of the name at `[start, end)` in a packet, in any case (RFC 4343), or -1. */
export function findName(
  { slots, offsets, bytes }: NameTable,
  packet: Uint8Array,
  start: number,
  end: number,
): number {
  const mask = slots.length - 1;
  for (let slot = hashOf(packet, start, end) & mask; ; slot = (slot + 1) & mask) {
    const number = (slots[slot] ?? 0) - 1;
    if (number < 0) return -1;
    const at = offsets[number] ?? 0;
    if (bytes[at] === end - start && equal(bytes, at + 1, packet, start, end)) return number;
  }
}

function equal(bytes: Uint8Array, from: number, packet: Uint8Array, start: number, end: number): boolean {
  for (let at = start, to = from; at < end; at++, to++) {
    const byte = packet[at] ?? 0;
    if (byte !== bytes[to] && lower(byte) !== bytes[to]) return false;
  }
  return true;
}

/** What lower-case letters have and upper-case ones do not; that other bytes hash alike with it costs a comparison. */
const CASE_BIT = 0x20;

/** FNV-1a with a finish: the lowest bits choose the slot. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ ((bytes[at] ?? 0) | CASE_BIT), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** A length byte is at most 63, below "A": it can never be mistaken for a letter. */
function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
