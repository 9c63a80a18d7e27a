/** A name's 32-bit seed for rendezvous hashing: FNV-1a over its UTF-8 bytes, the same on every dns-server. */
export function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
