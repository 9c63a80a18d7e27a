/** Heads that are ready to be written, for HTTP/1 and for HTTP/2: of a whole, of a range put into its place. Pure. */
import { STATUS_CODES } from 'node:http';
import type { ByteRange } from '../cache/range.ts';
import type { Headers } from '../headers.ts';
import { fieldBlock } from '../http2/hpack.ts';
import { responseFields } from '../listen/http2-request.ts';

export interface ReadyHead {
  status: number;
  /** For HTTP/1: status line and fields, with those of a connection that goes on, and the empty line. */
  head: string;
  /** For HTTP/2: the status and the fields. */
  block: () => Buffer;
}

export interface Head {
  status: number;
  headers: Headers;
}

/** What stands before and behind the fields that tell a range. */
export type AroundRange = readonly [before: ReadyHead, behind: ReadyHead];

/** `end`: the fields of the connection, and the empty line. */
export function readyHead({ status, headers }: Head, end: string): ReadyHead {
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
  return {
    status,
    head: line + linesOf(headers) + end,
    block: lazy(() => fieldBlock(responseFields(status, headers))),
  };
}

/** Of the answer to one range, the first byte; nothing where it is none. */
export function aroundRange({ status, headers }: Head, size: number, end: string): AroundRange | undefined {
  const told = linesOf(rangeFields({ first: 0, last: 0 }, size));
  const at = headers.findIndex((_, index) => linesOf(headers.slice(index, index + 2)) === told);
  if (at < 0) return undefined;
  const before = readyHead({ status, headers: headers.slice(0, at) }, '');
  const behind = headers.slice(at + 2);
  return [before, { status, head: linesOf(behind) + end, block: lazy(() => fieldBlock(behind.flat())) }];
}

export function rangeHead([before, behind]: AroundRange, range: ByteRange, size: number): ReadyHead {
  const told = rangeFields(range, size);
  return {
    status: before.status,
    head: before.head + linesOf(told) + behind.head,
    block: () => Buffer.concat([before.block(), fieldBlock(told.flat()), behind.block()]),
  };
}

const linesOf = (headers: Headers) => headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');

const rangeFields = ({ first, last }: ByteRange, size: number): [name: string, value: string][] => [
  ['content-range', `bytes ${first}-${last}/${size}`],
  ['content-length', String(last - first + 1)],
];

/** Most objects are asked for by one version of HTTP, and as a whole or in parts: the rest is not made. */
export function lazy<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
