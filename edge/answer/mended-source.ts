/**
 * A stored body that is found damaged, or cannot be read, when its answer has begun already: what is left comes from
 * where it is had anew, compared block by block with the checksums of what was stored. So the client gets the bytes that
 * it was promised, whatever else the origin may have by now, or sees that the transfer broke off.
 */
import { crc32 } from 'node:zlib';
import type { Room } from '../cache/blocks.ts';
import type { ByteSource } from '../cache/byte-source.ts';
import { BLOCK_BYTES, CorruptBody, type StoredObject } from '../cache/stored-object.ts';

/** The same body from elsewhere; nothing where there is none to be had. */
export type Anew = () => Promise<Buffer | ByteSource | undefined>;

export function mendedSource(
  { size, checksums }: Pick<StoredObject, 'size' | 'checksums'>,
  stored: ByteSource,
  anew: Anew,
): ByteSource {
  let second: ByteSource | undefined;
  /** Of the second source: compared, and maybe not all of it sent. */
  let block: { index: number; bytes: Buffer } | undefined;

  async function readAnew(offset: number, room: Room): Promise<Buffer> {
    if (offset >= size) return NOTHING;
    const index = Math.floor(offset / BLOCK_BYTES);
    if (block?.index !== index) block = { index, bytes: await compared(index, room) };
    return block.bytes.subarray(offset % BLOCK_BYTES);
  }

  async function compared(index: number, room: Room): Promise<Buffer> {
    const from = index * BLOCK_BYTES;
    const bytes = await wholeBlock(second ?? stored, {
      from,
      length: Math.min(BLOCK_BYTES, size - from),
      room,
    });
    if (crc32(bytes) === checksums[index]) return bytes;
    throw new CorruptBody(`what was fetched anew is not what was stored, in block ${index}`);
  }

  return {
    async read(offset, room) {
      if (second !== undefined) return await readAnew(offset, room);
      try {
        return await stored.read(offset, room);
      } catch (error) {
        const body = error instanceof CorruptBody ? await anew() : undefined;
        if (body === undefined) throw error;
        second = Buffer.isBuffer(body) ? ofBytes(body) : body;
        return await readAnew(offset, room);
      }
    },
    // What lies in a file is compared before; what comes anew may lie in none.
    part: async (first, last) => (second === undefined ? await stored.part?.(first, last) : undefined),
    async close() {
      await stored.close();
      await second?.close();
    },
  };
}

const NOTHING = Buffer.alloc(0);

async function wholeBlock(
  source: ByteSource,
  { from, length, room }: { from: number; length: number; room: Room },
): Promise<Buffer> {
  const whole = Buffer.allocUnsafeSlow(length);
  for (let at = 0; at < length; ) {
    const bytes = await source.read(from + at, room);
    if (bytes.length === 0) throw new CorruptBody(`what was fetched anew ends at ${from + at}`);
    at += bytes.copy(whole, at);
  }
  return whole;
}

function ofBytes(bytes: Buffer): ByteSource {
  return { read: async (offset) => bytes.subarray(offset), close: async () => {} };
}
