/** Bytes that look random and are the same for one seed and name on every machine: an AES-CTR key stream. */
import { createCipheriv, createHash } from 'node:crypto';

const CHUNK_BYTES = 2 ** 20;

/** `length` bytes in chunks of at most 1 MiB: a big file is never held whole. */
export function* noise(seed: number, name: string, length: number): Generator<Buffer> {
  const digest = createHash('sha256').update(`weir sample ${seed} ${name}`).digest();
  const cipher = createCipheriv('aes-128-ctr', digest.subarray(0, 16), digest.subarray(16));
  for (let left = length; left > 0; left -= CHUNK_BYTES) {
    yield cipher.update(Buffer.alloc(Math.min(left, CHUNK_BYTES)));
  }
}
