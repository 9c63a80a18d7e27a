/** multipart/byteranges (RFC 9110 14.6): heads and slices of a body, one behind the other. */
import { createHash } from 'node:crypto';
import type { ByteSource } from '../cache/byte-source.ts';
import type { ByteRange } from '../cache/range.ts';

/** Bytes that stand in the answer themselves, or a slice of the body. */
type Piece = Buffer | ByteRange;

export interface Multipart {
  boundary: string;
  pieces: readonly Piece[];
  length: number;
}

export function multipart(ranges: readonly ByteRange[], length: number, type: string | undefined): Multipart {
  // The same for the same question, so that an answer can be compared; a body that holds it by chance does no harm, as
  // clients go by Content-Range.
  const boundary = createHash('sha256')
    .update(JSON.stringify([ranges, length]))
    .digest('hex')
    .slice(0, 24);
  const typeLine = type === undefined ? '' : `Content-Type: ${type}\r\n`;
  const pieces = ranges.flatMap((range, index): Piece[] => {
    const where = `Content-Range: bytes ${range.first}-${range.last}/${length}`;
    return [
      Buffer.from(`${index === 0 ? '' : '\r\n'}--${boundary}\r\n${typeLine}${where}\r\n\r\n`, 'latin1'),
      range,
    ];
  });
  pieces.push(Buffer.from(`\r\n--${boundary}--\r\n`));
  return { boundary, pieces, length: pieces.reduce((sum, piece) => sum + sizeOf(piece), 0) };
}

export function multipartBytes({ pieces }: Multipart, body: Buffer): Buffer {
  return Buffer.concat(
    pieces.map((piece) => (Buffer.isBuffer(piece) ? piece : body.subarray(piece.first, piece.last + 1))),
  );
}

/** Reads as if the whole answer were one body. `body` must be readable from any offset. */
export function multipartSource({ pieces }: Multipart, body: ByteSource): ByteSource {
  return {
    async read(offset, room) {
      let before = 0;
      for (const piece of pieces) {
        const inside = offset - before;
        const size = sizeOf(piece);
        before += size;
        if (inside >= size) continue;
        if (Buffer.isBuffer(piece)) return piece.subarray(inside);
        return (await body.read(piece.first + inside, room)).subarray(0, size - inside);
      }
      return Buffer.alloc(0);
    },
    close: () => body.close(),
  };
}

function sizeOf(piece: Piece): number {
  return Buffer.isBuffer(piece) ? piece.length : piece.last - piece.first + 1;
}
