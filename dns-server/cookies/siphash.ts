/**
 * SipHash-2-4 (Aumasson, Bernstein 2012), which server cookies are made with (RFC 9018 4.4). It is made for each query
 * with a cookie: the 64-bit words are halves in local variables, which V8 keeps in registers, and nothing is made.
 */

/** Two 64-bit words of a key, as four halves; lower ones first. */
export type SipKey = Int32Array;

export function sipKey(secret: Buffer): SipKey {
  return Int32Array.from([0, 4, 8, 12], (at) => secret.readInt32LE(at));
}

/** Rounds for each word, and after the last one. */
const C = 2;
const D = 4;

/** Hashes `words`, each four bytes with the least significant first, and writes the hash as two of them. */
export function sipHash24(key: SipKey, words: Int32Array, hash: Int32Array): void {
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = [key[0], key[1], key[2], key[3]];
  // "somepseudorandomlygeneratedbytes", exclusive-or the key: v0 is b and a, v1 d and c, v2 f and e, v3 h and g.
  let [a, b] = [0x70736575 ^ k0, 0x736f6d65 ^ k1];
  let [c, d] = [0x6e646f6d ^ k2, 0x646f7261 ^ k3];
  let [e, f] = [0x6e657261 ^ k0, 0x6c796765 ^ k1];
  let [g, h] = [0x79746573 ^ k2, 0x74656462 ^ k3];
  const { length } = words;
  const last = length & ~1;
  for (let at = 0; at <= last + 2; at += 2) {
    // Words in pairs; what is left over stands with the length in bytes, in the highest of eight; then the end has a mark.
    const isEnd = at > last;
    const low = at < length ? (words[at] ?? 0) : 0;
    const high = at < last ? (words[at + 1] ?? 0) : isEnd ? 0 : (4 * length) << 24;
    g ^= low;
    h ^= high;
    if (isEnd) e ^= 0xff;
    for (let round = isEnd ? D : C; round > 0; round--) {
      // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
      const sum0 = (a + c) | 0;
      b = (b + d + carried(a, c, sum0)) | 0;
      a = sum0;
      const low1 = ((c << 13) | (d >>> 19)) ^ a;
      const high1 = ((d << 13) | (c >>> 19)) ^ b;
      // v2 += v3; v3 = rotl(v3, 16) ^ v2
      const sum2 = (e + g) | 0;
      f = (f + h + carried(e, g, sum2)) | 0;
      e = sum2;
      const low3 = ((g << 16) | (h >>> 16)) ^ e;
      const high3 = ((h << 16) | (g >>> 16)) ^ f;
      // v0 += v3; v3 = rotl(v3, 21) ^ v0; the halves of v0 stand the other way round
      const low0 = (b + low3) | 0;
      b = (a + high3 + carried(b, low3, low0)) | 0;
      a = low0;
      g = ((low3 << 21) | (high3 >>> 11)) ^ a;
      h = ((high3 << 21) | (low3 >>> 11)) ^ b;
      // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
      const low2 = (e + low1) | 0;
      e = (f + high1 + carried(e, low1, low2)) | 0;
      f = low2;
      c = ((low1 << 17) | (high1 >>> 15)) ^ f;
      d = ((high1 << 17) | (low1 >>> 15)) ^ e;
    }
    if (!isEnd) {
      a ^= low;
      b ^= high;
    }
  }
  hash[0] = a ^ c ^ e ^ g;
  hash[1] = b ^ d ^ f ^ h;
}

/** 1 where adding the two carries over: without a branch, which would be guessed wrong every other time. */
function carried(a: number, b: number, sum: number): number {
  return ((a & b) | ((a | b) & ~sum)) >>> 31;
}
