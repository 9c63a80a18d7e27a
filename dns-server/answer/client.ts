/** Who is asking: the network that the resolver names (RFC 7871), else the address that the query came from. */
import { type IpAddress, MAPPED_BITS, masked, parseIp, unmapped } from '../geo/ip-address.ts';
import type { ClientSubnet } from '../wire/client-subnet.ts';

export interface Client {
  address: IpAddress;
  /** Bits that the option's address has in front of `address`: an IPv4 address inside an IPv6 one. */
  offset: number;
  /** A resolver that gives no bits wants an answer that is good for everybody behind it (RFC 7871 7.1.2). */
  anonymous: boolean;
}

export function clientOf(subnet: ClientSubnet | undefined, source: IpAddress): Client {
  if (subnet === undefined || subnet.sourceLength === 0) {
    return { address: unmapped(source), offset: 0, anonymous: subnet !== undefined };
  }
  if (subnet.sourceLength < MAPPED_BITS) return { address: subnet.address, offset: 0, anonymous: false };
  const address = unmapped(subnet.address);
  return { address, offset: address === subnet.address ? 0 : MAPPED_BITS, anonymous: false };
}

/** The scope to return for an answer that holds for the first `length` bits of the client's address. */
export function scopeOf({ anonymous, offset }: Client, length: number): number {
  return anonymous || length === 0 ? 0 : offset + length;
}

/** The client as a person writes it: `202.102.224.68` or `202.102.224.0/24`; nothing when it is no such thing. */
export function clientFromText(text: string): Client | undefined {
  const [address = '', prefix] = text.split('/', 2);
  const ip = parseIp(address);
  if (ip === undefined || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return undefined;
  const bits = ip.bytes.length * 8;
  const sourceLength = prefix === undefined ? bits : Number(prefix);
  return sourceLength > bits ? undefined : clientOf({ address: masked(ip, sourceLength), sourceLength }, ip);
}
