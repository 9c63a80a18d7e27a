/** Range of byte ranges (RFC 9110 14). Pure. */

/** `first-`, `first-last` or `-suffix`, before the length is known. */
export type RangeSpec = { first: number; last: number | undefined } | { suffix: number };

export interface ByteRange {
  first: number;
  /** Inclusive. */
  last: number;
}

/** Nothing for what is to be ignored: other units, malformed ranges, and sets of several, which `parseRanges` takes. */
export function parseRange(header: string | undefined): RangeSpec | undefined {
  const [, first, last] = /^bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined) return undefined;
  if (first === '') return last === '' ? undefined : { suffix: Number(last) };
  if (last !== '' && Number(last) < Number(first)) return undefined;
  return { first: Number(first), last: last === '' ? undefined : Number(last) };
}

/** The bytes meant, for a representation of this length; 'unsatisfiable' is answered with 416 (RFC 9110 14.1.2). */
export function resolveRange(spec: RangeSpec, length: number): ByteRange | 'unsatisfiable' {
  if ('suffix' in spec) {
    if (spec.suffix === 0 || length === 0) return 'unsatisfiable';
    return { first: Math.max(0, length - spec.suffix), last: length - 1 };
  }
  if (spec.first >= length) return 'unsatisfiable';
  return { first: spec.first, last: Math.min(spec.last ?? length - 1, length - 1) };
}

/** More than this many are not meant by a player or a reader: the whole is the answer then (RFC 9110 14.2). */
const MAX_RANGES = 16;
/** What lies between two parts and is shorter than a part's head costs less when it is sent as well. */
const MERGE_GAP_BYTES = 80;

/** A set of several, or nothing for what is to be ignored. */
export function parseRanges(header: string | undefined): RangeSpec[] | undefined {
  const [, list] = /^bytes\s*=(.*,.*)$/i.exec(header ?? '') ?? [];
  const items = list?.split(',').filter((item) => item.trim() !== '') ?? [];
  if (items.length === 0 || items.length > MAX_RANGES) return undefined;
  const specs = items.map((item) => parseRange(`bytes=${item}`));
  return specs.every((spec) => spec !== undefined) ? specs : undefined;
}

/** In order and merged where they overlap or nearly touch, so that nobody gets a byte twice (RFC 9110 15.3.7.2). */
export function resolveRanges(specs: readonly RangeSpec[], length: number): ByteRange[] {
  const ranges = specs
    .map((spec) => resolveRange(spec, length))
    .filter((range) => range !== 'unsatisfiable')
    .sort((a, b) => a.first - b.first);
  const merged: ByteRange[] = [];
  for (const range of ranges) {
    const before = merged.at(-1);
    if (before === undefined || range.first > before.last + MERGE_GAP_BYTES) merged.push({ ...range });
    else before.last = Math.max(before.last, range.last);
  }
  return merged;
}
