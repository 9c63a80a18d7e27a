import { expect, test } from 'vitest';
import { sipHash24, sipKey } from './siphash.ts';

/** The reference's vectors (vectors_sip64) of whole words: key and message are 00 01 02 … */
test.each([
  [0, '310e0edd47db6f72'],
  [4, 'b7877127e09427cf'],
  [8, '6224939a79f5f593'],
])('is the reference’s hash of %i bytes', (length, expected) => {
  const counting = (bytes: number) => Buffer.from(Array.from({ length: bytes }, (_, at) => at));
  const words = Int32Array.from({ length: length / 4 }, (_, at) => counting(length).readInt32LE(4 * at));
  const hash = new Int32Array(2);
  sipHash24(sipKey(counting(16)), words, hash);
  expect(Buffer.from(hash.buffer).toString('hex')).toBe(expected);
});
