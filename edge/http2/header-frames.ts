/**
 * Header blocks: put together from HEADERS and the CONTINUATIONs behind it, and written anew for who has not seen the
 * table that they were written with (RFC 9113 6.2, 6.10). Pure.
 */
import { MOST_WINDOW } from './connection-window.ts';
import {
  END_HEADERS,
  END_STREAM,
  ERRORS,
  type FrameHead,
  frame,
  MAX_PAYLOAD,
  PADDED,
  PRIORITY,
  TYPES,
  type WholeFrame,
} from './frames.ts';

/** As nghttp2 has it: with 16 KB each, more than any head has (CVE-2024-27316). */
const MOST_CONTINUATIONS = 8;

/** A whole block. */
export interface HeaderBlock extends FrameHead {
  /** What stands before it: five bytes about its priority, where there are any. */
  before: Buffer;
  bytes: Buffer;
}

interface OpenBlock extends FrameHead {
  before: Buffer;
  parts: Buffer[];
}

export class HeaderFrames {
  #open: OpenBlock | undefined;

  /** Nothing but CONTINUATION may come. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** A block where it is whole; a number is the error that ends the connection. */
  begin({ type, flags, stream, payload }: WholeFrame): HeaderBlock | number | undefined {
    const padded = (flags & PADDED) === 0 ? 0 : 1;
    const begin = padded + ((flags & PRIORITY) === 0 ? 0 : 5);
    const end = payload.length - (padded === 1 ? (payload[0] ?? 0) : 0);
    // RFC 9113 5.1.1, 6.2.
    if (stream % 2 === 0 || begin > end) return ERRORS.protocol;
    const own = { type, flags: flags & (END_STREAM | PRIORITY), stream };
    const before = payload.subarray(padded, begin);
    const bytes = payload.subarray(begin, end);
    if ((flags & END_HEADERS) !== 0) return { ...own, before, bytes };
    this.#open = { ...own, before, parts: [bytes] };
    return undefined;
  }

  goOn({ flags, stream, payload }: WholeFrame): HeaderBlock | number | undefined {
    const open = this.#open;
    if (open === undefined || open.stream !== stream) return ERRORS.protocol;
    open.parts.push(payload);
    if (open.parts.length > MOST_CONTINUATIONS + 1) return ERRORS.enhanceYourCalm;
    if ((flags & END_HEADERS) === 0) return undefined;
    this.#open = undefined;
    const { parts, ...own } = open;
    return { ...own, bytes: Buffer.concat(parts) };
  }
}

/** Of the five bytes of a priority (RFC 7540 5.3.1). */
export function dependsOnItself(priority: Buffer, stream: number): boolean {
  return priority.length > 0 && (priority.readUInt32BE() & MOST_WINDOW) === stream;
}

/** The same head with another block, in as many frames as it takes. */
export function headersFrames(
  { flags, stream, before }: Pick<HeaderBlock, 'flags' | 'stream' | 'before'>,
  block: Buffer,
): Buffer {
  const payload = Buffer.concat([before, block]);
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < payload.length; at += MAX_PAYLOAD) {
    const isLast = at + MAX_PAYLOAD >= payload.length;
    const type = at === 0 ? TYPES.headers : TYPES.continuation;
    const own = at === 0 ? flags : 0;
    const part = payload.subarray(at, at + MAX_PAYLOAD);
    frames.push(frame(type, own | (isLast ? END_HEADERS : 0), stream, part));
  }
  return Buffer.concat(frames);
}
