/** Range and Content-Range of single byte ranges (RFC 9110 14). Pure. */

/** `first-`, `first-last` or `-suffix`, before the length is known. */
export type RangeSpec = { first: number; last: number | undefined } | { suffix: number };

export interface ByteRange {
  first: number;
  /** Inclusive. */
  last: number;
}

/**
 * Nothing for what is to be ignored: other units, malformed ranges, and sets of several, which are answered with the
 * whole (RFC 9110 14.2 lets a server).
 */
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
