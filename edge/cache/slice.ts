/**
 * Objects stored in slices: each is an object of its own, below a key of its own, so that it is fetched, joined, checked,
 * purged and evicted like any other. What holds them together is one strong validator and one length (RFC 9110 15.3.7.3).
 * Pure.
 */
import { field, type Headers, without } from '../headers.ts';
import { parseRange } from './range.ts';
import { BLOCK_BYTES } from './stored-object.ts';

/** As nginx's manual has it; a player asks for about as much at once. */
export const SLICE_BYTES = 4 * BLOCK_BYTES;

export function sliceAt(offset: number): number {
  return Math.floor(offset / SLICE_BYTES);
}

/** The one that a Range begins in. The length is not known yet: one from the end begins with what the first slice tells of it. */
export function firstSlice(header: string | undefined): number {
  const spec = parseRange(header);
  return spec === undefined || 'suffix' in spec ? 0 : sliceAt(spec.first);
}

/** Asks an origin for a slice. */
export function rangeOf(slice: number): Headers {
  const first = slice * SLICE_BYTES;
  return [['range', `bytes=${first}-${first + SLICE_BYTES - 1}`]];
}

/** The origin has no ranges, or none that could be put together with others. */
export class NotSliced extends Error {}

interface Answered {
  status: number;
  headers: Headers;
}

/**
 * The answer to such a question, as what is stored: the whole of a slice, and how long the object is. Throws NotSliced.
 */
export function asSlice<T extends Answered>(answer: T, slice: number): T & { total: number } {
  const { status, headers } = answer;
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(field(headers, 'content-range') ?? '');
  const [first, last, total] = (range ?? []).slice(1).map(Number);
  if (status !== 206 || first === undefined || last === undefined || total === undefined) {
    throw new NotSliced(`status ${status} to a range`);
  }
  const begin = slice * SLICE_BYTES;
  if (first !== begin || last !== Math.min(begin + SLICE_BYTES, total) - 1) {
    throw new NotSliced(`${field(headers, 'content-range')} for the slice at ${begin}`);
  }
  if (field(headers, 'etag')?.startsWith('"') !== true) throw new NotSliced('no strong ETag');
  const length = String(last - first + 1);
  if ((field(headers, 'content-length') ?? length) !== length) {
    throw new NotSliced(`Content-Length ${field(headers, 'content-length')} for ${length} bytes`);
  }
  return {
    ...answer,
    status: 200,
    headers: [...without(headers, OF_THE_SLICE), ['content-length', length]],
    total,
  };
}

const OF_THE_SLICE = new Set(['content-range', 'content-length']);

/** Are both of one representation? */
export function belongTogether(
  a: { headers: Headers; total?: number | undefined },
  b: { headers: Headers; total?: number | undefined },
): boolean {
  const alike = (name: string) => field(a.headers, name) === field(b.headers, name);
  return a.total === b.total && alike('etag') && alike('content-encoding');
}
