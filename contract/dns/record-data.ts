/**
 * The data of a static record, as zone files write it, to the bytes of the wire. One function per type, so that what
 * weir.yaml is checked by is what answers are made of.
 */
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { unescaped, wireOfText } from './name-text.ts';

export const RECORD_TYPES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DNAME: 39,
  DS: 43,
  CAA: 257,
} as const;

export type RecordType = keyof typeof RECORD_TYPES;

/** Throws with what is allowed. Names in the data are relative to the zone, see name-text.ts. */
export function recordData(type: RecordType, text: string, zone: string): Buffer {
  return WRITERS[type](text.trim(), zone);
}

const WRITERS: Record<RecordType, (text: string, zone: string) => Buffer> = {
  A: (text) => {
    if (!isIPv4(text)) throw new Error('an IPv4 address, such as 192.0.2.1');
    return Buffer.from(text.split('.').map(Number));
  },
  AAAA: (text) => {
    if (!isIPv6(text) || text.includes('%')) throw new Error('an IPv6 address, such as 2001:db8::1');
    return Buffer.from(ipaddr.parse(text).toByteArray());
  },
  NS: oneName,
  CNAME: oneName,
  DNAME: oneName,
  PTR: oneName,
  MX: (text, zone) => {
    const [preference, name] = fields(text, 2, 'a preference and a name, such as 10 mail.example.net.');
    return Buffer.concat([uint(preference, 2), wireOfText(name, zone)]);
  },
  SRV: (text, zone) => {
    const shape = 'priority, weight, port and a name, such as 10 5 443 host.example.net.';
    const [priority, weight, port, name] = fields(text, 4, shape);
    return Buffer.concat([uint(priority, 2), uint(weight, 2), uint(port, 2), wireOfText(name, zone)]);
  },
  TXT: textData,
  CAA: (text) => {
    const [flags, tag, value] = fields(text, 3, 'flags, a tag and a value, such as 0 issue "ca.example.net"');
    if (!/^[a-z0-9]{1,15}$/i.test(tag)) throw new Error('a tag of letters and digits, such as issue');
    return Buffer.concat([uint(flags, 1), characterString(Buffer.from(tag)), unquoted(value)]);
  },
  DS: (text) => {
    const shape = 'key tag, algorithm, digest type and digest, such as 4711 13 2 0A1B…';
    const [tag, algorithm, digestType, digest] = fields(text, 4, shape);
    const hex = digest.replaceAll(/\s/g, '');
    if (!/^([0-9a-f]{2}){20,64}$/i.test(hex)) throw new Error('a digest of 20 to 64 bytes in hex');
    return Buffer.concat([uint(tag, 2), uint(algorithm, 1), uint(digestType, 1), Buffer.from(hex, 'hex')]);
  },
};

function oneName(text: string, zone: string): Buffer {
  if (/\s/.test(text) || text === '') throw new Error('one name, such as www.example.net.');
  return wireOfText(text, zone);
}

/** Split at blanks; the last field has all that is left. */
function fields<N extends 2 | 3 | 4>(text: string, count: N, shape: string): Fields[N] {
  const parts = text.split(/\s+/);
  if (parts.length < count) throw new Error(shape);
  // As many as were asked for: just counted.
  return [...parts.slice(0, count - 1), parts.slice(count - 1).join(' ')] as unknown as Fields[N];
}

interface Fields {
  2: [string, string];
  3: [string, string, string];
  4: [string, string, string, string];
}

function uint(text: string, bytes: 1 | 2): Buffer {
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value >= 256 ** bytes) throw new Error(`${text}: 0 to ${256 ** bytes - 1}`);
  const data = Buffer.alloc(bytes);
  data.writeUIntBE(value, 0, bytes);
  return data;
}

/** RFC 1035 3.3: at most 255 bytes behind their length. */
const MAX_STRING = 255;

function characterString(bytes: Buffer): Buffer {
  if (bytes.length > MAX_STRING) throw new Error('a string in quotes has at most 255 bytes');
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

/** Strings in quotes one by one; a text without any is one value, cut where the format needs it (RFC 7208 3.3). */
function textData(text: string): Buffer {
  const quoted = text.startsWith('"') ? quotedStrings(text) : undefined;
  if (quoted) return Buffer.concat(quoted.map(characterString));
  const bytes = Buffer.from(text, 'utf8');
  const pieces = Math.max(1, Math.ceil(bytes.length / MAX_STRING));
  return Buffer.concat(
    Array.from({ length: pieces }, (_, index) =>
      characterString(bytes.subarray(index * MAX_STRING, (index + 1) * MAX_STRING)),
    ),
  );
}

function quotedStrings(text: string): Buffer[] {
  const strings = text.match(/"(?:[^"\\]|\\.)*"/gs) ?? [];
  if (text.replaceAll(/"(?:[^"\\]|\\.)*"/gs, '').trim() !== '') {
    throw new Error('strings in quotes with blanks between them, or one text without quotes');
  }
  return strings.map(unquoted);
}

/** What stands between quotes, with `\"` and `\065` as the bytes that they mean; a text without quotes as it is. */
function unquoted(text: string): Buffer {
  if (!text.startsWith('"')) return Buffer.from(text, 'utf8');
  if (!/^"(?:[^"\\]|\\.)*"$/s.test(text)) throw new Error(`${text}: one string in quotes`);
  const inner = text.slice(1, -1);
  const parts: Buffer[] = [];
  for (let at = 0; at < inner.length; ) {
    const next = inner.indexOf('\\', at);
    const plain = inner.slice(at, next < 0 ? undefined : next);
    parts.push(Buffer.from(plain, 'utf8'));
    if (next < 0) break;
    const { byte, length } = unescaped(inner, next);
    parts.push(Buffer.of(byte));
    at = next + length;
  }
  return Buffer.concat(parts);
}
