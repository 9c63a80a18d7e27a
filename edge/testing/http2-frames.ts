/** HTTP/2 by hand: frames as bytes, for what no client of good manners sends (RFC 9113 4.1). */
import type { TLSSocket } from 'node:tls';
import { END_HEADERS, END_STREAM, frame, TYPES } from '../http2/frames.ts';

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(TYPES.settings, 0, 0),
]);

/** Fields without compression (RFC 7541 6.2.2), for which no state is kept. */
export function block(fields: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value, 'latin1');
    // RFC 7541 5.1, a prefix of seven bits.
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const length = [127];
    let left = bytes.length - 127;
    for (; left >= 128; left >>= 7) length.push((left & 127) | 128);
    return Buffer.concat([Buffer.from([...length, left]), bytes]);
  };
  return Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])),
  );
}

export const getFields = (path = '/a'): (readonly [string, string])[] => [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'video.example.com'],
  [':path', path],
];

export const get = (stream: number, path?: string): Buffer =>
  frame(TYPES.headers, END_STREAM | END_HEADERS, stream, block(getFields(path)));

/** All frames that come, as they come; settings are not acknowledged. */
export function readFrames(socket: TLSSocket): Frame[] {
  const frames: Frame[] = [];
  let bytes = Buffer.alloc(0);
  socket.on('data', (data: Buffer) => {
    bytes = Buffer.concat([bytes, data]);
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < 9 + length) return;
      const [type = 0, flags = 0] = [bytes[3], bytes[4]];
      frames.push({ type, flags, stream: bytes.readUInt32BE(5), payload: bytes.subarray(9, 9 + length) });
      bytes = bytes.subarray(9 + length);
    }
  });
  return frames;
}

/** Of a GOAWAY or an RST_STREAM. */
export function errorCode({ type, payload }: Frame): number {
  return payload.readUInt32BE(type === TYPES.goaway ? 4 : 0);
}
