/**
 * Reads the queries that most are, in place and without making anything: one question for the addresses of a name, at
 * most an OPT record with nothing in it but a client subnet. Whatever is not exactly so is left to wire/query.ts, so
 * that nothing is decided twice. The bytes may lie anywhere in a larger buffer: a batch is one.
 */
import type { Family } from '../plan/prepared-address.ts';
import {
  EDNS_DO,
  EDNS_OPTION,
  FLAG,
  HEADER_BYTES,
  MAX_UDP_BYTES,
  PLAIN_UDP_BYTES,
  TYPE,
} from '../wire/constants.ts';

const MAX_NAME = 255;
const MAX_LABEL = 63;
/** A root name, type, size, extended code and version, flags and the length of the options. */
const OPT_BYTES = 11;
/** Code and length, family, source and scope length. */
const SUBNET_BYTES = 8;

/** Bits of `shape`: what else than name, family and client decides how an answer looks. */
export const SHAPE = { EDNS: 1, DNSSEC_OK: 2, SUBNET: 4, CHECKING_DISABLED: 8, CLIENT_IPV6: 16 } as const;

export class PlainQuery {
  bytes: Uint8Array = new Uint8Array();
  start = 0;
  /** Where the question's name ends, and where the question does. */
  nameEnd = 0;
  questionEnd = 0;
  family: Family = 4;
  recursionDesired = false;
  shape = 0;
  /** The largest answer that may be sent. */
  limit = PLAIN_UDP_BYTES;
  /** Of the client, 4 or 16 of them; good until the next query is read. */
  client: Uint8Array = new Uint8Array(4);
  /** Where the subnet option's data stands, and how many bits it gives; when the query has one. */
  subnetAt = 0;
  sourceLength = 0;
  readonly #ipv4 = new Uint8Array(4);
  readonly #ipv6 = new Uint8Array(16);

  /** Whether it is such a query; only then the fields mean anything. `source` is the sender's address. */
  read(bytes: Uint8Array, start: number, end: number, source: Uint8Array): boolean {
    this.bytes = bytes;
    this.start = start;
    if (end - start < HEADER_BYTES + 5 || !this.#readHeader(bytes, start)) return false;
    const nameEnd = endOfName(bytes, start + HEADER_BYTES, end);
    if (nameEnd < 0 || nameEnd + 4 > end) return false;
    this.nameEnd = nameEnd;
    this.questionEnd = nameEnd + 4;
    const type = word(bytes, nameEnd);
    if ((type !== TYPE.A && type !== TYPE.AAAA) || word(bytes, nameEnd + 2) !== 1) return false;
    this.family = type === TYPE.A ? 4 : 6;
    this.limit = PLAIN_UDP_BYTES;
    if (word(bytes, start + 10) === 0) return this.questionEnd === end && this.#useSource(source);
    return this.#readOpt(bytes, this.questionEnd, end, source);
  }

  /** A standard query with one question and at most one more record, an additional one. */
  #readHeader(bytes: Uint8Array, start: number): boolean {
    const flags = word(bytes, start + 2);
    if ((flags & ~(FLAG.RD | FLAG.CD)) !== 0) return false;
    this.recursionDesired = (flags & FLAG.RD) !== 0;
    this.shape = flags & FLAG.CD ? SHAPE.CHECKING_DISABLED : 0;
    return (
      word(bytes, start + 4) === 1 &&
      word(bytes, start + 6) === 0 &&
      word(bytes, start + 8) === 0 &&
      word(bytes, start + 10) <= 1
    );
  }

  #readOpt(bytes: Uint8Array, at: number, end: number, source: Uint8Array): boolean {
    if (at + OPT_BYTES > end || bytes[at] !== 0 || word(bytes, at + 1) !== TYPE.OPT) return false;
    this.limit = Math.min(Math.max(word(bytes, at + 3), PLAIN_UDP_BYTES), MAX_UDP_BYTES);
    const flags = word(bytes, at + 7);
    // An extended code or a version, or flags that we do not know here.
    if (word(bytes, at + 5) !== 0 || (flags & ~EDNS_DO) !== 0) return false;
    this.shape |= SHAPE.EDNS | (flags & EDNS_DO ? SHAPE.DNSSEC_OK : 0);
    const options = at + OPT_BYTES;
    if (options + word(bytes, at + 9) !== end) return false;
    if (options === end) return this.#useSource(source);
    return this.#readSubnet(bytes, options, end);
  }

  /** RFC 7871 6: exactly one subnet option, valid, and with bits in it. */
  #readSubnet(bytes: Uint8Array, at: number, end: number): boolean {
    if (at + SUBNET_BYTES > end || word(bytes, at) !== EDNS_OPTION.CLIENT_SUBNET) return false;
    const family = word(bytes, at + 4);
    const sourceLength = bytes[at + 6] ?? 0;
    const client = family === 1 ? this.#ipv4 : this.#ipv6;
    const given = (sourceLength + 7) >> 3;
    if ((family !== 1 && family !== 2) || bytes[at + 7] !== 0 || sourceLength === 0) return false;
    if (given > client.length || word(bytes, at + 2) !== 4 + given || at + SUBNET_BYTES + given !== end)
      return false;
    for (let index = 0; index < client.length; index++) {
      client[index] = index < given ? (bytes[at + SUBNET_BYTES + index] ?? 0) : 0;
    }
    const spare = given * 8 - sourceLength;
    if (((client[given - 1] ?? 0) & ((1 << spare) - 1)) !== 0 || isMapped(client)) return false;
    this.client = client;
    this.subnetAt = at + 4;
    this.sourceLength = sourceLength;
    this.shape |= SHAPE.SUBNET | (family === 2 ? SHAPE.CLIENT_IPV6 : 0);
    return true;
  }

  #useSource(source: Uint8Array): boolean {
    if (isMapped(source)) return false;
    this.client = source;
    if (source.length === 16) this.shape |= SHAPE.CLIENT_IPV6;
    return true;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function endOfName(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; ) {
    const length = bytes[at] ?? 0;
    at += 1 + length;
    if (length > MAX_LABEL || at - start > MAX_NAME) return -1;
    if (length === 0) return at;
  }
  return -1;
}

/** An IPv4 address inside an IPv6 one is a client of IPv4: rare enough to be left to answer/client.ts. */
function isMapped(address: Uint8Array): boolean {
  if (address.length === 4 || address[10] !== 0xff || address[11] !== 0xff) return false;
  for (let at = 0; at < 10; at++) if (address[at] !== 0) return false;
  return true;
}
