/** The EDNS Client Subnet option (RFC 7871 6): the network that a resolver asks for. */
import type { IpAddress } from '../geo/ip-address.ts';

export interface ClientSubnet {
  address: IpAddress;
  /** SOURCE PREFIX-LENGTH: how many bits of the address the resolver gave. */
  sourceLength: number;
}

const FAMILY_IPV4 = 1;
const FAMILY_IPV6 = 2;

/**
 * Reads the option's data; nothing for one that RFC 7871 7.1.2 and 7.2.1 want answered with FORMERR: an unknown
 * family, a scope in a query, a prefix longer than the address, the wrong number of bytes, bits behind the prefix.
 */
export function readClientSubnet(
  message: Uint8Array,
  offset: number,
  length: number,
): ClientSubnet | undefined {
  if (length < 4) return undefined;
  const family = ((message[offset] ?? 0) << 8) | (message[offset + 1] ?? 0);
  const sourceLength = message[offset + 2] ?? 0;
  const scopeLength = message[offset + 3] ?? 0;
  if (family !== FAMILY_IPV4 && family !== FAMILY_IPV6) return undefined;
  const size = family === FAMILY_IPV4 ? 4 : 16;
  const given = (sourceLength + 7) >> 3;
  if (scopeLength !== 0 || sourceLength > size * 8 || length !== 4 + given) return undefined;
  const bytes = new Uint8Array(size);
  for (let i = 0; i < given; i++) bytes[i] = message[offset + 4 + i] ?? 0;
  const spare = given * 8 - sourceLength;
  if (spare > 0 && ((bytes[given - 1] ?? 0) & ((1 << spare) - 1)) !== 0) return undefined;
  return { address: { version: family === FAMILY_IPV4 ? 4 : 6, bytes }, sourceLength };
}

/** Writes the option's data as it was asked, with our scope; returns where it ends (RFC 7871 7.2.1). */
export function writeClientSubnet(
  out: Buffer,
  offset: number,
  { address, sourceLength }: ClientSubnet,
  scope: number,
): number {
  let at = out.writeUInt16BE(address.version === 4 ? FAMILY_IPV4 : FAMILY_IPV6, offset);
  at = out.writeUInt8(sourceLength, at);
  at = out.writeUInt8(scope, at);
  const given = (sourceLength + 7) >> 3;
  for (let i = 0; i < given; i++) out[at + i] = address.bytes[i] ?? 0;
  return at + given;
}
