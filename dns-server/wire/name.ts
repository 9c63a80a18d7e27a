/**
 * Names on the wire: length-prefixed labels up to the root's empty one (RFC 1035 3.1). A *key* is a name's wire form
 * in lower case as a latin1 string: cheap to make from a packet, and free of the ambiguity of dots inside labels.
 */

const MAX_LABEL = 63;
const MAX_NAME = 255;

const lowered = Buffer.alloc(MAX_NAME);

/** Where the uncompressed name at `offset` ends, or -1 when it is no such name. */
export function endOfName(message: Uint8Array, offset: number, end: number): number {
  let at = offset;
  while (at < end) {
    const length = message[at] ?? 0;
    at += 1 + length;
    // Longer than a label is a compression pointer or a reserved form: nothing stands before it to point at.
    if (length > MAX_LABEL || at - offset > MAX_NAME) return -1;
    if (length === 0) return at;
  }
  return -1;
}

/** Where the name at `offset` ends, which may end in a compression pointer; -1 when it runs out of the message. */
export function skipName(message: Uint8Array, offset: number, end: number): number {
  let at = offset;
  while (at < end) {
    const length = message[at] ?? 0;
    if (length >= 0xc0) return at + 2 <= end ? at + 2 : -1;
    at += 1 + length;
    if (length > MAX_LABEL || at - offset > MAX_NAME) return -1;
    if (length === 0) return at;
  }
  return -1;
}

/** The key of the wire name in `message[start, end)`: names are equal whatever the case of A to Z (RFC 4343). */
export function keyOfWire(message: Uint8Array, start: number, end: number): string {
  for (let at = start, to = 0; at < end; at++, to++) {
    const byte = message[at] ?? 0;
    // A length byte is at most 63, below "A": it can never be mistaken for a letter.
    lowered[to] = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
  }
  return lowered.toString('latin1', 0, end - start);
}

/** The wire form of a host name as plans have it: lower case, dots between labels, no trailing one. */
export function wireOfName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.');
  const parts = labels.flatMap((label) => {
    const bytes = Buffer.from(label, 'latin1');
    if (bytes.length === 0 || bytes.length > MAX_LABEL) throw new Error(`${name}: a label has 1 to 63 bytes`);
    return [Buffer.of(bytes.length), bytes];
  });
  const wire = Buffer.concat([...parts, Buffer.of(0)]);
  if (wire.length > MAX_NAME) throw new Error(`${name}: a name has at most 255 bytes on the wire`);
  return wire;
}

export function keyOfName(name: string): string {
  return wireOfName(name.toLowerCase()).toString('latin1');
}

/** The key of the name one label up, or nothing above the root. */
export function parentKey(key: string): string | undefined {
  return key.length <= 1 ? undefined : key.slice(1 + key.charCodeAt(0));
}
