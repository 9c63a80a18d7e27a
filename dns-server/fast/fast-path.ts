/**
 * Prepared answers in front of the ordinary path, for the queries that most are (plain-query.ts). It decides nothing of
 * its own: a slot holds what the ordinary path chose for a class of domains and a place, and is used for a shape of
 * query only once its bytes were equal to the ordinary answer's. Whatever changes what is answered empties the slots.
 *
 *     name ─> domain ─> class ─┐
 *     client ─> leaf ─> place ─┴─> slot ─pick─> records, as they stand in the answer
 *
 * The thread with the plan learns; others get tables and slots from it, and leave to it what they have no slot for.
 */
import { pick, type Selection } from '../answer/choose.ts';
import { UNIT_BITS, unitOf } from '../answer/rendezvous.ts';
import type { CompiledGeo } from '../geo/compile.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { findLeaf, lengthOf, resultOf } from '../geo/prefix-table.ts';
import { EDNS_DO, EDNS_OPTION, FLAG, HEADER_BYTES, MAX_UDP_BYTES, TYPE } from '../wire/constants.ts';
import { findName, type NameTable } from './name-table.ts';
import { PlainQuery, SHAPE } from './plain-query.ts';

/** What there is to look up. All of it lies in shared memory or is small. */
export interface FastTables {
  names: NameTable;
  /** By a name's number, the class of its domain: domains of one class get the same answers, as far as a plan tells. */
  classOf: Uint32Array;
  classes: number;
  geo: CompiledGeo;
  /** By a name's number, how often it was answered here; behind them what is counted by family. */
  answered: Uint32Array;
}

export interface SlotCandidate {
  node: { seed: number; spec: { name: string } };
  weight: number;
  /** Its address records, TTL and all, owned by the question's name. */
  records: Uint8Array;
  count: number;
}

export interface Slot {
  outcome: Selection['outcome'];
  standings: SlotCandidate[];
  answers: number;
  /** Whether the answer depends on the client. */
  scoped: boolean;
  /** Shapes of queries that it was found right for, a bit each; and those that it is not right for. */
  shapes: number;
  others: number;
}

/** In place of a slot: its domains are treated differently at the moment, and have slots of their own. */
export const BY_DOMAIN = 'ByDomain';

export const NOT_PLAIN = 0;
/** There is no slot, or none that is known to be right for the query: the ordinary path answers, and may teach one. */
export const UNKNOWN = -1;

/** What is counted by family, behind the names: for A, and right after it for AAAA. */
export const COUNTED = { answered: 0, truncated: 2, dropped: 4 } as const;
export const COUNTERS = 6;

const OPT_BYTES = 11;
const NO_BYTES = new Uint8Array();

export class FastPath {
  readonly query = new PlainQuery();
  tables: FastTables | undefined;
  readonly slots = new Map<number, Slot | typeof BY_DOMAIN>();
  /** Of the query at hand: its domain's number, its client's leaf, and where its slot is or would be. */
  name = 0;
  leaf = 0;
  key = 0;
  readonly #ipv4: IpAddress = { version: 4, bytes: NO_BYTES };
  readonly #ipv6: IpAddress = { version: 6, bytes: NO_BYTES };

  use(tables: FastTables | undefined): void {
    this.tables = tables;
    this.slots.clear();
  }

  /** Writes the answer to the query in `bytes[start, end)` at `out[at]`; returns its length, NOT_PLAIN or UNKNOWN. */
  answer(
    bytes: Uint8Array,
    start: number,
    end: number,
    source: Uint8Array,
    out: Uint8Array,
    at: number,
  ): number {
    const { query, tables } = this;
    if (tables === undefined || !query.read(bytes, start, end, source)) return NOT_PLAIN;
    const name = findName(tables.names, bytes, start + HEADER_BYTES, query.nameEnd);
    if (name < 0) return NOT_PLAIN;
    this.name = name;
    const { client } = query;
    this.leaf = findLeaf(client.length === 4 ? tables.geo.ipv4 : tables.geo.ipv6, client);
    const slot = this.#slot(tables, name);
    if (slot === undefined || (slot.shapes & (1 << query.shape)) === 0) return UNKNOWN;
    return this.write(slot, out, at);
  }

  /** The answer from a slot; NOT_PLAIN when it would be too long. */
  write(slot: Slot, out: Uint8Array, at: number): number {
    const { query } = this;
    const bits = this.bits(slot.standings.length > 1);
    const picked = pick(slot, slot.standings.length > 1 ? unitOf(this.client(), bits) : 0, slot.answers);
    const questionBytes = query.questionEnd - query.start;
    let to = at + questionBytes;
    let count = 0;
    for (const { records, count: own } of picked) {
      if (to - at + records.length > query.limit) return NOT_PLAIN;
      for (let index = 0; index < records.length; index++) out[to + index] = records[index] ?? 0;
      to += records.length;
      count += own;
    }
    copy(query.bytes, query.start, questionBytes, out, at);
    this.#writeHeader(out, at, count);
    if (query.shape & SHAPE.EDNS) to = this.#writeOpt(out, to, slot.scoped ? bits : 0);
    // The ordinary path knows what to do with one that may not fit: it keeps room for options that are not used.
    return to - at + SPARE_BYTES > query.limit ? NOT_PLAIN : to - at;
  }

  /** In place of the answer: that there is one, over TCP. */
  truncate(out: Uint8Array, at: number): number {
    const { query } = this;
    const questionBytes = query.questionEnd - query.start;
    copy(query.bytes, query.start, questionBytes, out, at);
    this.#writeHeader(out, at, 0, FLAG.TC);
    const end = at + questionBytes;
    return (query.shape & SHAPE.EDNS ? this.#writeOpt(out, end, undefined) : end) - at;
  }

  /** Counts what became of the query at hand. */
  count(what: keyof typeof COUNTED = 'answered'): void {
    if (this.tables === undefined) return;
    const { answered: counts } = this.tables;
    const family = counts.length - COUNTERS + COUNTED[what] + (this.query.family === 4 ? 0 : 1);
    counts[family] = (counts[family] ?? 0) + 1;
    if (what === 'answered') counts[this.name] = (counts[this.name] ?? 0) + 1;
  }

  client(): IpAddress {
    const { client } = this.query;
    const address = client.length === 4 ? this.#ipv4 : this.#ipv6;
    address.bytes = client;
    return address;
  }

  /** For how many bits of the client's address the answer holds: its leaf, divided further where nodes share it. */
  bits(contested: boolean): number {
    const length = lengthOf(this.leaf);
    return contested ? Math.max(length, UNIT_BITS[this.query.client.length === 4 ? 4 : 6]) : length;
  }

  #slot({ classOf, classes, geo }: FastTables, name: number): Slot | undefined {
    const place = 2 * resultOf(this.leaf) + (this.query.family === 4 ? 0 : 1);
    const places = 2 * geo.results.length;
    this.key = (classOf[name] ?? 0) * places + place;
    const ofClass = this.slots.get(this.key);
    if (ofClass !== BY_DOMAIN) return ofClass;
    this.key = (classes + name) * places + place;
    const ofDomain = this.slots.get(this.key);
    return ofDomain === BY_DOMAIN ? undefined : ofDomain;
  }

  #writeHeader(out: Uint8Array, at: number, count: number, kind: number = FLAG.AA): void {
    const { shape, recursionDesired } = this.query;
    const flags =
      FLAG.QR | kind | (recursionDesired ? FLAG.RD : 0) | (shape & SHAPE.CHECKING_DISABLED ? FLAG.CD : 0);
    setWord(out, at + 2, flags);
    setWord(out, at + 6, count);
    setWord(out, at + 10, shape & SHAPE.EDNS ? 1 : 0);
  }

  #writeOpt(out: Uint8Array, start: number, scope: number | undefined): number {
    const { shape, bytes, subnetAt, sourceLength } = this.query;
    out[start] = 0;
    setWord(out, start + 1, TYPE.OPT);
    setWord(out, start + 3, MAX_UDP_BYTES);
    setWord(out, start + 5, 0);
    setWord(out, start + 7, shape & SHAPE.DNSSEC_OK ? EDNS_DO : 0);
    const options = start + OPT_BYTES;
    if (scope === undefined || !(shape & SHAPE.SUBNET)) {
      setWord(out, start + 9, 0);
      return options;
    }
    const length = 4 + ((sourceLength + 7) >> 3);
    setWord(out, start + 9, 4 + length);
    setWord(out, options, EDNS_OPTION.CLIENT_SUBNET);
    setWord(out, options + 2, length);
    copy(bytes, subnetAt, length, out, options + 4);
    out[options + 7] = scope;
    return options + 4 + length;
  }
}

/** Room that the ordinary path keeps for an extended error. */
const SPARE_BYTES = 6;

/** The records of some addresses: owner, type, class, TTL and data, ready to stand in an answer. */
export function recordsOf(addresses: readonly { bytes: Uint8Array }[], ttl: number): Uint8Array {
  const parts = addresses.map(({ bytes }) => {
    const fixed = Buffer.alloc(12);
    fixed.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
    fixed.writeUInt16BE(bytes.length === 4 ? TYPE.A : TYPE.AAAA, 2);
    fixed.writeUInt16BE(1, 4);
    fixed.writeUInt32BE(ttl, 6);
    fixed.writeUInt16BE(bytes.length, 10);
    return Buffer.concat([fixed, bytes]);
  });
  return Uint8Array.from(Buffer.concat(parts));
}

function setWord(out: Uint8Array, at: number, value: number): void {
  out[at] = value >> 8;
  out[at + 1] = value & 0xff;
}

/** By a loop: for so few bytes `set` costs more than it saves. */
function copy(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  for (let index = 0; index < length; index++) to[at + index] = from[start + index] ?? 0;
}
