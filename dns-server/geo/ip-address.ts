/** An IP address as bytes, in network order: what packets carry and prefixes are compared by. */
import { isIP } from 'node:net';

export interface IpAddress {
  version: 4 | 6;
  /** 4 or 16 bytes. */
  bytes: Uint8Array;
}

/** Reads an address; nothing when it is none. An IPv4 address mapped into IPv6 stays IPv6: see `unmapped`. */
export function parseIp(text: string): IpAddress | undefined {
  const zoneless = text.includes('%') ? text.slice(0, text.indexOf('%')) : text;
  switch (isIP(zoneless)) {
    case 4:
      return { version: 4, bytes: ipv4Bytes(zoneless) };
    case 6:
      return { version: 6, bytes: ipv6Bytes(zoneless) };
    default:
      return undefined;
  }
}

const DOT = 46;
const ZERO = 48;

/** The bytes of what `isIP` took for IPv4. */
function ipv4Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(4);
  setIpv4(bytes, text);
  return bytes;
}

/** Reads IPv4 addresses that the kernel wrote, one for each query: into one object, with nothing to be checked. */
export function ipv4Reader(): (text: string) => IpAddress {
  const address: IpAddress = { version: 4, bytes: new Uint8Array(4) };
  return (text) => {
    setIpv4(address.bytes, text);
    return address;
  };
}

function setIpv4(bytes: Uint8Array, text: string): void {
  let at = 0;
  let part = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== DOT) part = part * 10 + code - ZERO;
    else {
      bytes[at++] = part;
      part = 0;
    }
  }
  bytes[at] = part;
}

/** The bytes of what `isIP` took for IPv6. */
function ipv6Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const gap = text.indexOf('::');
  if (gap < 0) {
    setGroups(bytes, 0, groupsOf(text));
    return bytes;
  }
  setGroups(bytes, 0, groupsOf(text.slice(0, gap)));
  const after = groupsOf(text.slice(gap + 2));
  setGroups(bytes, 8 - after.length, after);
  return bytes;
}

/** `2001:db8` as two numbers; an IPv4 address at the end counts for two (RFC 4291 2.2). */
function groupsOf(text: string): number[] {
  const groups: number[] = [];
  for (const group of text === '' ? [] : text.split(':')) {
    if (group.includes('.')) {
      const [a = 0, b = 0, c = 0, d = 0] = ipv4Bytes(group);
      groups.push((a << 8) | b, (c << 8) | d);
    } else groups.push(Number.parseInt(group, 16));
  }
  return groups;
}

function setGroups(bytes: Uint8Array, first: number, groups: readonly number[]): void {
  for (let index = 0; index < groups.length; index++) {
    const group = groups[index] ?? 0;
    bytes[2 * (first + index)] = group >> 8;
    bytes[2 * (first + index) + 1] = group & 0xff;
  }
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
