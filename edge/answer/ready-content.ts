/**
 * The body of a ready hit: bytes in memory, or parts of files of which every block was found whole before. Nothing where
 * some of it would have to be read, compared or fetched: that is the pipeline's.
 */
import type { FilePart } from '../cache/byte-source.ts';
import type { HeldFile } from '../cache/open-bodies.ts';
import type { ByteRange } from '../cache/range.ts';
import { belongTogether, SLICE_BYTES, sliceAt } from '../cache/slice.ts';
import type { Store } from '../cache/store.ts';
import type { StoredObject } from '../cache/stored-object.ts';

export interface Content {
  body: Buffer | readonly HeldPart[];
  /** Where the bytes of `body` are a part of one stored body in memory, which never changes. */
  within?: { id: string; bytes: Buffer; first: number } | undefined;
}

/** To be held while it is sent. */
export interface HeldPart extends FilePart {
  file: HeldFile;
}

interface Stored {
  object: StoredObject;
  bytes: Buffer | undefined;
}

type Bodies = Pick<Store, 'whole' | 'used'>;

/** More slices than a player asks for at once; each has to be looked up for each answer. */
const MOST_SLICES = 16;

export function contentOf(store: Bodies, { object, bytes }: Stored, range: ByteRange): Content | undefined {
  if (bytes !== undefined) {
    store.used(object);
    const { first, last } = range;
    return { body: bytes.subarray(first, last + 1), within: { id: object.id, bytes, first } };
  }
  const part = partOf(store, object, range);
  if (part === undefined) return undefined;
  store.used(object);
  return { body: [part] };
}

/** A range of an object that lies in slices, all of them of one representation with `lead`, whose head is told. */
export function contentOfSlices(
  store: Bodies,
  lead: Stored,
  slice: (index: number) => Stored | undefined,
  { first, last }: ByteRange,
): Content | undefined {
  const [begin, end] = [sliceAt(first), sliceAt(last)];
  if (end - begin >= MOST_SLICES) return undefined;
  const parts: HeldPart[] = [];
  const objects: StoredObject[] = [lead.object];
  for (let index = begin; index <= end; index++) {
    const stored = slice(index);
    if (stored === undefined || !belongTogether(stored.object, lead.object)) return undefined;
    const at = index * SLICE_BYTES;
    const inside = { first: Math.max(0, first - at), last: Math.min(SLICE_BYTES - 1, last - at) };
    // One small enough for memory is the last one of its object: by itself it can be answered with.
    if (stored.bytes !== undefined && begin === end) return contentOf(store, stored, inside);
    const part = partOf(store, stored.object, inside);
    if (part === undefined) return undefined;
    parts.push(part);
    objects.push(stored.object);
  }
  for (const object of objects) store.used(object);
  return { body: parts };
}

function partOf(store: Bodies, object: StoredObject, { first, last }: ByteRange): HeldPart | undefined {
  const file = store.whole(object, first, last);
  return file && { file, first, length: last - first + 1 };
}
