/** The body of an object that lies in slices, read as if it were one: slice by slice, each as it is needed. */
import type { ByteSource } from '../cache/byte-source.ts';
import { SLICE_BYTES, sliceAt } from '../cache/slice.ts';

export type SliceBody = Buffer | ByteSource;

export interface Slices {
  /** Throws where it cannot be had, or is not of the object that the answer began with. */
  open(slice: number): Promise<SliceBody>;
  /** Has it fetched, if it is not there. */
  ahead(slice: number): void;
}

const NOTHING = Buffer.alloc(0);

export interface SlicedBody {
  total: number;
  /** The last byte that will be read, where that is known: the slice behind the one that is read is asked for then. */
  last: number | undefined;
  /** One that is open. */
  begun: { slice: number; body: SliceBody } | undefined;
}

export function slicedSource(slices: Slices, { total, last, begun }: SlicedBody): ByteSource {
  let current = begun;
  let aheadOf = -1;

  async function close(): Promise<void> {
    const body = current?.body;
    current = undefined;
    if (body !== undefined && !Buffer.isBuffer(body)) await body.close();
  }

  async function bodyOf(slice: number): Promise<SliceBody> {
    if (current?.slice === slice) return current.body;
    await close();
    const body = await slices.open(slice);
    current = { slice, body };
    return body;
  }

  function lookAhead(slice: number): void {
    if (slice <= aheadOf || last === undefined || slice >= sliceAt(last)) return;
    aheadOf = slice;
    slices.ahead(slice + 1);
  }

  return {
    async read(offset, room) {
      if (offset >= total) return NOTHING;
      const slice = sliceAt(offset);
      const body = await bodyOf(slice);
      lookAhead(slice);
      const inside = offset - slice * SLICE_BYTES;
      const bytes = Buffer.isBuffer(body) ? body.subarray(inside) : await body.read(inside, room);
      if (bytes.length === 0) throw new Error(`slice ${slice} is shorter than it should be`);
      return bytes;
    },
    async part(first, last) {
      if (first >= total) return undefined;
      const slice = sliceAt(first);
      const body = await bodyOf(slice);
      lookAhead(slice);
      const begin = slice * SLICE_BYTES;
      if (Buffer.isBuffer(body)) return undefined;
      return await body.part?.(first - begin, Math.min(last - begin, SLICE_BYTES - 1));
    },
    close,
  };
}
