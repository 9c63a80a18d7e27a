/** A zone's key as records: DNSKEY (RFC 4034 2), its tag (appendix B), and the DS that the parent publishes (RFC 4509). */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';

/** ECDSA P-256 with SHA-256 (RFC 6605): small signatures that every validator knows. */
export const ALGORITHM = 13;
const DIGEST_SHA256 = 2;

/** Zone key and secure entry point: one key signs all (a CSK). */
const FLAGS = 257;
/** RFC 4034 2.1.2: always. */
const PROTOCOL = 3;

export function dnskeyData(privateKey: KeyObject): Buffer {
  const { x = '', y = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const head = Buffer.of(FLAGS >> 8, FLAGS & 0xff, PROTOCOL, ALGORITHM);
  return Buffer.concat([head, Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}

export function keyTag(dnskey: Uint8Array): number {
  let sum = 0;
  for (const [index, byte] of dnskey.entries()) sum += index & 1 ? byte : byte << 8;
  return (sum + (sum >> 16)) & 0xffff;
}

/** The data of the DS for a key of the zone with this wire name, in lower case. */
export function dsData(zone: Uint8Array, dnskey: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(keyTag(dnskey), 0);
  head.writeUInt8(ALGORITHM, 2);
  head.writeUInt8(DIGEST_SHA256, 3);
  return Buffer.concat([head, createHash('sha256').update(zone).update(dnskey).digest()]);
}

/** `4711 13 2 0A1B…`, as registrars take it. */
export function dsText(data: Buffer): string {
  const [tag, algorithm, digestType] = [data.readUInt16BE(0), data[2], data[3]];
  return `${tag} ${algorithm} ${digestType} ${data.subarray(4).toString('hex').toUpperCase()}`;
}
