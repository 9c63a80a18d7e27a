/** HTTP/2's frames as bytes (RFC 9113 4.1): read one by one, and written. */

export const TYPES = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITY = 32;

/** RFC 9113 7. */
export const ERRORS = {
  protocol: 1,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

/** RFC 9113 4.1. */
export const HEAD_BYTES = 9;
/** RFC 9113 6.5.2: what either side takes that has not said that it takes more. */
export const MAX_PAYLOAD = 16_384;

export interface FrameHead {
  type: number;
  flags: number;
  stream: number;
}

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  writeHead(bytes, 0, { type, flags, stream }, payload.length);
  payload.copy(bytes, HEAD_BYTES);
  return bytes;
}

export function writeHead(
  bytes: Buffer,
  at: number,
  { type, flags, stream }: FrameHead,
  length: number,
): void {
  bytes.writeUIntBE(length, at, 3);
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes.writeUInt32BE(stream, at + 5);
}

/** RST_STREAM, WINDOW_UPDATE: a frame of one number. */
export function numberFrame(type: number, stream: number, value: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(value);
  return frame(type, 0, stream, payload);
}

/** RFC 9113 6.8. */
export function goawayFrame(lastStream: number, code: number): Buffer {
  const payload = Buffer.allocUnsafe(8);
  payload.writeUInt32BE(lastStream);
  payload.writeUInt32BE(code, 4);
  return frame(TYPES.goaway, 0, 0, payload);
}

/** One whole frame, for as long as it is looked at: the bytes are the socket's. */
export interface WholeFrame extends FrameHead {
  bytes: Buffer;
  payload: Buffer;
}

/** Cuts what comes into whole frames; keeps the beginning of one that is not whole. */
export class FrameReader {
  #rest: Buffer | undefined;

  /** False where a frame is longer than there may be one, or `take` wants no more. */
  read(chunk: Buffer, take: (frame: WholeFrame) => boolean): boolean {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      if (length > MAX_PAYLOAD) return false;
      const end = at + HEAD_BYTES + length;
      if (end > bytes.length) break;
      const whole = {
        type: bytes[at + 3] ?? 0,
        flags: bytes[at + 4] ?? 0,
        stream: bytes.readUInt32BE(at + 5) & 0x7fff_ffff,
        bytes: bytes.subarray(at, end),
        payload: bytes.subarray(at + HEAD_BYTES, end),
      };
      if (!take(whole)) return false;
      at = end;
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : undefined;
    return true;
  }
}
