/**
 * From something stored, or being stored, to the answer for one request: conditions, then ranges, in the order of
 * RFC 9110 13.2.2. Pure but for opening the body.
 */
import type { ByteSource } from '../cache/byte-source.ts';
import { clientHasIt, rangeStillHolds } from '../cache/conditional.ts';
import {
  type ByteRange,
  parseRange,
  parseRanges,
  type RangeSpec,
  resolveRange,
  resolveRanges,
} from '../cache/range.ts';
import type { ClientRequest } from '../exchange.ts';
import { field, type Headers, without } from '../headers.ts';
import { type AnswerBody, NO_BODY } from './answer.ts';
import { type Multipart, multipart, multipartBytes, multipartSource } from './multipart.ts';

export interface Representation {
  status: number;
  headers: Headers;
  /** Of the body; unknown while one of unknown length comes. */
  length: number | undefined;
  /** The body can be read from anywhere, and again: several ranges can be served of it. */
  anyOffset: boolean;
  /** Bytes are the whole body; a source is read from `first` on, to `last` where that is known. */
  open(first: number, last?: number): Promise<Buffer | ByteSource>;
}

export interface Shape {
  status: number;
  headers: Headers;
  /** The bytes to send; nothing: no body. */
  range: { first: number; last: number | undefined } | undefined;
  /** Several ranges as one body. */
  parts?: Multipart;
}

/** Status, header and byte range of the answer. */
export function shapeFor(
  request: ClientRequest,
  { status, headers, length, anyOffset }: Omit<Representation, 'open'>,
  now: number,
): Shape {
  if (status === 200 && clientHasIt(request.headers, headers, now)) {
    return { status: 304, headers: headers.filter(([name]) => !OF_CONTENT.test(name)), range: undefined };
  }
  const ranged = status === 200 && mayRange(request, headers, now);
  const range = ranged ? requestedRange(request, length) : undefined;
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
  const parts =
    ranged && anyOffset && range === undefined ? requestedParts(request, headers, length) : undefined;
  if (parts !== undefined) return multipartShape(headers, parts);
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
      ...without(headers, OF_A_PART),
      ['content-range', `bytes ${first}-${last}/${length}`],
      ['content-length', String(last - first + 1)],
    ],
    range,
  };
}

/** On a 200 it means nothing (RFC 9110 14.4), beside ours there would be two; of several parts each has its own. */
const OF_A_PART = new Set(['content-range']);
const OF_PARTS = new Set(['content-range', 'content-type']);

/** Fields that describe a body, and mean nothing on a 304 or 416 (RFC 9110 15.4.5). */
const OF_CONTENT = /^content-(?!location|security-policy)/;

function acceptRanges(status: number, headers: Headers): Headers {
  return status === 200 && field(headers, 'accept-ranges') === undefined ? [['accept-ranges', 'bytes']] : [];
}

/** Range is defined for GET alone (RFC 9110 14.2), and only of the content that the client knows (13.1.5). */
function mayRange({ method, headers }: ClientRequest, stored: Headers, now: number): boolean {
  const ifRange = headers['if-range'];
  return method === 'GET' && rangeStillHolds(typeof ifRange === 'string' ? ifRange : undefined, stored, now);
}

/** It needs a known length. */
function requestedRange(
  { headers: { range } }: ClientRequest,
  length: number | undefined,
): ByteRange | 'unsatisfiable' | undefined {
  if (length === undefined || range === undefined) return undefined;
  const spec = parseRange(range) ?? onlyOne(range, length);
  return spec === undefined ? undefined : resolveRange(spec, length);
}

/** A set of which one range is left, or none: answered as a single one. */
function onlyOne(header: string, length: number): RangeSpec | undefined {
  const specs = parseRanges(header);
  if (specs === undefined) return undefined;
  const ranges = resolveRanges(specs, length);
  return ranges.length > 1 ? undefined : (ranges[0] ?? { suffix: 0 });
}

/** Several ranges; nothing where the whole is the shorter answer. */
function requestedParts(
  { headers: request }: ClientRequest,
  stored: Headers,
  length: number | undefined,
): Multipart | undefined {
  const specs = parseRanges(request.range);
  if (specs === undefined || length === undefined) return undefined;
  const parts = multipart(resolveRanges(specs, length), length, field(stored, 'content-type'));
  return parts.length < length ? parts : undefined;
}

function multipartShape(headers: Headers, parts: Multipart): Shape {
  const type = `multipart/byteranges; boundary=${parts.boundary}`;
  return {
    status: 206,
    headers: [
      ...without(headers, OF_PARTS),
      ['content-type', type],
      ['content-length', String(parts.length)],
    ],
    range: { first: 0, last: parts.length - 1 },
    parts,
  };
}

export async function bodyFor(
  { open }: Pick<Representation, 'open'>,
  { range, parts }: Shape,
): Promise<AnswerBody> {
  if (range === undefined || range.last === -1) return NO_BODY;
  if (parts !== undefined) {
    const whole = await open(0);
    if (Buffer.isBuffer(whole)) return { kind: 'bytes', bytes: multipartBytes(parts, whole) };
    return { kind: 'source', source: multipartSource(parts, whole), ...range };
  }
  const body = await open(range.first, range.last);
  if (!Buffer.isBuffer(body)) return { kind: 'source', source: body, ...range };
  return { kind: 'bytes', bytes: body.subarray(range.first, (range.last ?? body.length - 1) + 1) };
}
