/**
 * Reads the queries that most are, in place and without making anything: one question for the addresses of a name, at
 * most an OPT record with nothing in it but a client subnet and a cookie. Whatever is not exactly so is left to wire/query.ts, so
 * that nothing is decided twice. The bytes may lie anywhere in a larger memory: a batch is one.
 */
import { type CookieDesk, isCookieLength } from '../cookies/cookies.ts';
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
import { endOfName } from '../wire/name.ts';

/** Where queries stand and are answered: by bytes, and by the two or four that a field has. */
export interface PacketMemory {
  bytes: Uint8Array;
  view: DataView;
}

/** A root name, type, size, extended code and version, flags and the length of the options. */
const OPT_BYTES = 11;
/** Of an option: code and length. */
const OPTION_BYTES = 4;
/** Of a subnet option without an address: family, source and scope length. */
const SUBNET_BYTES = 4;

/** Type and class of a question, as they stand behind its name. */
const QUESTION = { A: (TYPE.A << 16) | 1, AAAA: (TYPE.AAAA << 16) | 1 } as const;
/** QDCOUNT and ANCOUNT of a query with one question. */
const ONE_QUESTION = 1 << 16;

/** Bits of `shape`: what else than name, family and client decides how an answer looks. */
export const SHAPE = {
  EDNS: 1,
  DNSSEC_OK: 2,
  SUBNET: 4,
  CHECKING_DISABLED: 8,
  CLIENT_IPV6: 16,
  COOKIE: 32,
} as const;
/** How many shapes these make. */
export const SHAPES = 64;

export class PlainQuery {
  readonly bytes: Uint8Array;
  readonly view: DataView;
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
  /** How many bits of it the subnet option gives; when the query has one. */
  sourceLength = 0;
  /** How many bytes those take. */
  given = 0;
  /** Of the query, when it has one: a copy, since the answer is written where it stood. */
  readonly cookie: CookieDesk;
  readonly #ipv4 = new Uint8Array(4);
  readonly #ipv6 = new Uint8Array(16);

  constructor({ bytes, view }: PacketMemory, cookie: CookieDesk) {
    this.bytes = bytes;
    this.view = view;
    this.cookie = cookie;
  }

  /** Whether it is such a query; only then the fields mean anything. `source` is the sender's address. */
  read(start: number, end: number, source: Uint8Array): boolean {
    const { view } = this;
    this.start = start;
    if (end - start < HEADER_BYTES + 5) return false;
    const flags = view.getUint16(start + 2);
    if ((flags & ~(FLAG.RD | FLAG.CD)) !== 0 || view.getUint32(start + 4) !== ONE_QUESTION) return false;
    this.recursionDesired = (flags & FLAG.RD) !== 0;
    this.shape = flags & FLAG.CD ? SHAPE.CHECKING_DISABLED : 0;
    const nameEnd = endOfName(this.bytes, start + HEADER_BYTES, end);
    if (nameEnd < 0 || nameEnd + 4 > end) return false;
    this.nameEnd = nameEnd;
    this.questionEnd = nameEnd + 4;
    const question = view.getUint32(nameEnd);
    if (question !== QUESTION.A && question !== QUESTION.AAAA) return false;
    this.family = question === QUESTION.A ? 4 : 6;
    // NSCOUNT and ARCOUNT: nothing, or an additional record.
    const others = view.getUint32(start + 8);
    if (others === 1) return this.#readOpt(this.questionEnd, end, source);
    this.limit = PLAIN_UDP_BYTES;
    return others === 0 && this.questionEnd === end && this.#useSource(source);
  }

  #readOpt(at: number, end: number, source: Uint8Array): boolean {
    const { view } = this;
    const options = at + OPT_BYTES;
    if (options > end || this.bytes[at] !== 0) return false;
    const typeAndSize = view.getUint32(at + 1);
    if (typeAndSize >>> 16 !== TYPE.OPT) return false;
    this.limit = Math.min(Math.max(typeAndSize & 0xffff, PLAIN_UDP_BYTES), MAX_UDP_BYTES);
    const flags = view.getUint32(at + 5);
    // An extended code or a version, or flags that we do not know here.
    if ((flags & ~EDNS_DO) !== 0 || options + view.getUint16(at + 9) !== end) return false;
    this.shape |= SHAPE.EDNS | (flags & EDNS_DO ? SHAPE.DNSSEC_OK : 0);
    return options === end ? this.#useSource(source) : this.#readOptions(options, end, source);
  }

  /** A client subnet and a cookie, each once at most. */
  #readOptions(start: number, end: number, source: Uint8Array): boolean {
    const { view } = this;
    for (let at = start; at < end; ) {
      if (at + OPTION_BYTES > end) return false;
      const option = view.getUint32(at);
      const data = at + OPTION_BYTES;
      at = data + (option & 0xffff);
      if (at > end) return false;
      const isSound =
        option >>> 16 === EDNS_OPTION.CLIENT_SUBNET
          ? this.#readSubnet(data, at)
          : option >>> 16 === EDNS_OPTION.COOKIE && this.#readCookie(data, at);
      if (!isSound) return false;
    }
    return (this.shape & SHAPE.SUBNET) !== 0 || this.#useSource(source);
  }

  #readCookie(at: number, end: number): boolean {
    if (this.shape & SHAPE.COOKIE || !isCookieLength(end - at)) return false;
    this.cookie.read(this.view, at, end - at);
    this.shape |= SHAPE.COOKIE;
    return true;
  }

  /** RFC 7871 6: valid, and with bits in it. */
  #readSubnet(at: number, end: number): boolean {
    const { bytes, view } = this;
    if (this.shape & SHAPE.SUBNET || at + SUBNET_BYTES > end) return false;
    const fields = view.getUint32(at);
    const family = fields >>> 16;
    const sourceLength = (fields >> 8) & 0xff;
    const client = family === 1 ? this.#ipv4 : this.#ipv6;
    const given = (sourceLength + 7) >> 3;
    if ((family !== 1 && family !== 2) || (fields & 0xff) !== 0 || sourceLength === 0) return false;
    const address = at + SUBNET_BYTES;
    if (given > client.length || address + given !== end) return false;
    for (let index = 0; index < given; index++) client[index] = bytes[address + index] ?? 0;
    for (let index = given; index < client.length; index++) client[index] = 0;
    const spare = given * 8 - sourceLength;
    if (((client[given - 1] ?? 0) & ((1 << spare) - 1)) !== 0 || isMapped(client)) return false;
    this.client = client;
    this.sourceLength = sourceLength;
    this.given = given;
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

/** An IPv4 address inside an IPv6 one is a client of IPv4: rare enough to be left to answer/client.ts. */
function isMapped(address: Uint8Array): boolean {
  if (address.length === 4 || address[10] !== 0xff || address[11] !== 0xff) return false;
  for (let at = 0; at < 10; at++) if (address[at] !== 0) return false;
  return true;
}
