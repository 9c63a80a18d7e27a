/**
 * From something stored, or being stored, to the answer for one request: conditions, then ranges, in the order of
 * RFC 9110 13.2.2. Pure but for opening the body.
 */
import type { ByteSource } from '../cache/byte-source.ts';
import { clientHasIt, rangeStillHolds } from '../cache/conditional.ts';
import { type ByteRange, parseRange, resolveRange } from '../cache/range.ts';
import type { ClientRequest } from '../exchange.ts';
import { field, type Headers } from '../headers.ts';
import { type AnswerBody, NO_BODY } from './answer.ts';

export interface Representation {
  status: number;
  headers: Headers;
  /** Of the body; unknown while one of unknown length comes. */
  length: number | undefined;
  /** Bytes are the whole body; a source is read from `first` on. */
  open(first: number): Promise<Buffer | ByteSource>;
}

export interface Shape {
  status: number;
  headers: Headers;
  /** The bytes to send; nothing: no body. */
  range: { first: number; last: number | undefined } | undefined;
}

/** Status, header and byte range of the answer. */
export function shapeFor(
  request: ClientRequest,
  { status, headers, length }: Omit<Representation, 'open'>,
): Shape {
  if (status === 200 && clientHasIt(request.headers, headers)) {
    return { status: 304, headers: headers.filter(([name]) => !OF_CONTENT.test(name)), range: undefined };
  }
  const range = status === 200 ? requestedRange(request, headers, length) : undefined;
  if (range === 'unsatisfiable') {
    const kept = headers.filter(
      ([name]) => !OF_CONTENT.test(name) && name !== 'etag' && name !== 'last-modified',
    );
    return {
      status: 416,
      headers: [...kept, ['content-range', `bytes */${length}`], ['content-length', '0']],
      range: undefined,
    };
  }
  const bodiless = request.method === 'HEAD' || status === 204;
  if (range === undefined) {
    const sized = length === undefined || status === 204 ? [] : [['content-length', String(length)] as const];
    const whole = { first: 0, last: length === undefined ? undefined : length - 1 };
    return {
      status,
      headers: [...headers, ...acceptRanges(status, headers), ...sized],
      range: bodiless ? undefined : whole,
    };
  }
  const { first, last } = range;
  return {
    status: 206,
    headers: [
      ...headers,
      ['content-range', `bytes ${first}-${last}/${length}`],
      ['content-length', String(last - first + 1)],
    ],
    range,
  };
}

/** Fields that describe a body, and mean nothing on a 304 or 416 (RFC 9110 15.4.5). */
const OF_CONTENT = /^content-(?!location|security-policy)/;

function acceptRanges(status: number, headers: Headers): Headers {
  return status === 200 && field(headers, 'accept-ranges') === undefined ? [['accept-ranges', 'bytes']] : [];
}

/** Range is defined for GET alone (RFC 9110 14.2), and needs a known length. */
function requestedRange(
  { method, headers: request }: ClientRequest,
  stored: Headers,
  length: number | undefined,
): ByteRange | 'unsatisfiable' | undefined {
  if (method !== 'GET' || length === undefined || request.range === undefined) return undefined;
  const spec = parseRange(request.range);
  const ifRange = request['if-range'];
  if (spec === undefined || !rangeStillHolds(typeof ifRange === 'string' ? ifRange : undefined, stored)) {
    return undefined;
  }
  return resolveRange(spec, length);
}

export async function bodyFor({ open }: Pick<Representation, 'open'>, { range }: Shape): Promise<AnswerBody> {
  if (range === undefined || range.last === -1) return NO_BODY;
  const body = await open(range.first);
  if (!Buffer.isBuffer(body)) return { kind: 'source', source: body, ...range };
  return { kind: 'bytes', bytes: body.subarray(range.first, (range.last ?? body.length - 1) + 1) };
}
