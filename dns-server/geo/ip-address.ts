/** An IP address as bytes, in network order: what packets carry and prefixes are compared by. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface IpAddress {
  version: 4 | 6;
  /** 4 or 16 bytes. */
  bytes: Uint8Array;
}

const DOTTED = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** Reads an address; nothing when it is none. An IPv4 address mapped into IPv6 stays IPv6: see `unmapped`. */
export function parseIp(text: string): IpAddress | undefined {
  const zoneless = text.split('%', 1)[0] ?? text;
  if (isIP(zoneless) === 0) return undefined;
  const dotted = DOTTED.exec(zoneless);
  if (dotted) return { version: 4, bytes: Uint8Array.from(dotted.slice(1), Number) };
  return { version: 6, bytes: Uint8Array.from(ipaddr.IPv6.parse(zoneless).toByteArray()) };
}

export function formatIp({ version, bytes }: IpAddress): string {
  if (version === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  return groups.join(':');
}

export function bitAt(bytes: Uint8Array, index: number): 0 | 1 {
  return ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1 ? 1 : 0;
}

/** How many bits `::ffff:0:0/96` has: an IPv4 address lies behind them (RFC 4291 2.5.5.2). */
export const MAPPED_BITS = 96;

/** The IPv4 address inside an IPv4-mapped IPv6 one; any other address as it is. */
export function unmapped(address: IpAddress): IpAddress {
  const { version, bytes } = address;
  if (version === 4 || bytes[10] !== 0xff || bytes[11] !== 0xff) return address;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return address;
  return { version: 4, bytes: bytes.subarray(12) };
}

/** The address with every bit behind `length` cleared. */
export function masked({ version, bytes }: IpAddress, length: number): IpAddress {
  const out = Uint8Array.from(bytes);
  for (let i = 0; i < out.length; i++) {
    const keep = Math.min(8, Math.max(0, length - i * 8));
    out[i] = (out[i] ?? 0) & (0xff << (8 - keep));
  }
  return { version, bytes: out };
}
