/**
 * Prepared answers in front of the ordinary path, for the queries that most are (plain-query.ts). It decides nothing of
 * its own: a slot holds what the ordinary path chose for a class of domains and a place, and is used for a shape of
 * query only once its bytes were equal to the ordinary answer's. Whatever changes what is answered empties the slots.
 *
 *     name ─> domain ─> class ─┐
 *     client ─> leaf ─> place ─┴─> slot ─pick─> records, as they stand in the answer
 *
 * The thread with the plan learns; others get tables and slots from it, and leave to it what they have no slot for.
 * An answer is written where its query stands: the question is there already.
 */
import type { Selection } from '../answer/choose.ts';
import { rankInPlace, UNIT_BITS, unitOf } from '../answer/rendezvous.ts';
import type { CompiledGeo } from '../geo/compile.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { findLeaf, lengthOf, resultOf } from '../geo/prefix-table.ts';
import { EDNS_DO, EDNS_OPTION, FLAG, HEADER_BYTES, MAX_UDP_BYTES, TYPE } from '../wire/constants.ts';
import { type CountedOutcome, type Counts, OUTCOMES } from './counts.ts';
import { classOf, findName, type NameTable, numberOf } from './name-table.ts';
import { type PacketMemory, PlainQuery, SHAPE } from './plain-query.ts';

/** What there is to look up. All of it lies in shared memory or is small. */
export interface FastTables {
  /** Domains of one class get the same answers, as far as a plan tells. */
  names: NameTable;
  classes: number;
  geo: CompiledGeo;
  /** What is counted here. */
  counts: Counts;
}

export interface SlotCandidate {
  node: { seed: number; spec: { name: string } };
  weight: number;
  /** Its address records as words, TTL and all, owned by the question's name. */
  records: Uint32Array;
  count: number;
}

/** The RRSIG records of an answer, as they stand behind its other records. */
export interface Signature {
  records: Uint8Array;
  count: number;
}

/** More candidates than these bits are not told apart by one number: their answers are signed on the ordinary path. */
const MAX_SIGNED_CANDIDATES = 30;

export interface Slot {
  outcome: Selection['outcome'];
  standings: SlotCandidate[];
  answers: number;
  /** Whether the answer depends on the client. */
  scoped: boolean;
  /** How it was chosen, for the counts (answer/steps.ts). */
  chain: number;
  /** With a signed zone: RRSIG records by the nodes that were picked, and by the name's number. */
  signatures: Map<number, Map<number, Signature>> | undefined;
  /** Shapes of queries that it was found right for, a bit each; and those that it is not right for. */
  shapes: number;
  others: number;
}

/** In place of a slot: its domains are treated differently at the moment, and have slots of their own. */
export const BY_DOMAIN = 'ByDomain';

export const NOT_PLAIN = 0;
/** There is no slot, or none that is known to be right for the query: the ordinary path answers, and may teach one. */
export const UNKNOWN = -1;

const OPT_BYTES = 11;
/** Room that the ordinary path keeps for an extended error. */
const SPARE_BYTES = 6;
const WORD = 4;

export class FastPath {
  readonly query: PlainQuery;
  tables: FastTables | undefined;
  readonly slots = new Map<number, Slot | typeof BY_DOMAIN>();
  /** Of the query at hand: its name's number and class, its client's leaf, where its slot is or would be, its chain. */
  name = 0;
  class = 0;
  leaf = 0;
  key = 0;
  chain = 0;
  /** Of the slot at hand: how many nodes are picked, their places in order, and as bits. */
  #picked = 0;
  #order: Uint32Array = new Uint32Array();
  #mask = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #ipv4: IpAddress = { version: 4, bytes: new Uint8Array() };
  readonly #ipv6: IpAddress = { version: 6, bytes: new Uint8Array() };

  /** Queries stand there, with room behind each for its answer. */
  constructor(memory: PacketMemory) {
    this.#bytes = memory.bytes;
    this.#view = memory.view;
    this.query = new PlainQuery(memory);
  }

  use(tables: FastTables | undefined): void {
    this.tables = tables;
    this.slots.clear();
  }

  /** Answers the query in `[start, end)` in its place; returns the answer's length, NOT_PLAIN or UNKNOWN. */
  answer(start: number, end: number, source: Uint8Array): number {
    const { query, tables } = this;
    if (tables === undefined || !query.read(start, end, source)) return NOT_PLAIN;
    const known = findName(tables.names, this.#view, start + HEADER_BYTES, query.nameEnd);
    if (known < 0) return NOT_PLAIN;
    this.name = numberOf(tables.names, known);
    this.class = classOf(tables.names, known);
    const { client } = query;
    this.leaf = findLeaf(client.length === 4 ? tables.geo.ipv4 : tables.geo.ipv6, client);
    const slot = this.#slot(tables);
    if (slot === undefined || (slot.shapes & (1 << query.shape)) === 0) return UNKNOWN;
    return this.write(slot);
  }

  /** The answer from a slot. NOT_PLAIN when it would be too long, UNKNOWN without a signature: nothing was written. */
  write(slot: Slot): number {
    const { query } = this;
    const { standings } = slot;
    const order = this.#pick(slot);
    const signature = this.#wantsSignature(slot) ? this.#signature(slot) : UNSIGNED;
    if (signature === undefined) return UNKNOWN;
    const length = this.#recordsEnd(slot) - query.start + signature.records.length + this.#optBytes();
    // The ordinary path knows what to do with one that may not fit: it keeps room for options that are not used.
    if (length + SPARE_BYTES > query.limit) return NOT_PLAIN;
    this.chain = slot.chain;
    let at = query.questionEnd;
    let count = signature.count;
    for (let place = 0; place < this.#picked; place++) {
      const standing = standings[order[place] ?? 0];
      if (standing === undefined) continue;
      at = this.#writeRecords(standing.records, at);
      count += standing.count;
    }
    if (signature.count > 0) this.#bytes.set(signature.records, at);
    at += signature.records.length;
    this.#writeHeader(FLAG.AA, count);
    if (query.shape & SHAPE.EDNS) this.#writeOpt(at, slot.scoped ? this.bits(standings.length > 1) : 0);
    return length;
  }

  /** Takes the signature that the slot lacks for the query at hand out of the ordinary answer to it. */
  missingSignature(slot: Slot, ordinary: Uint8Array): NewSignature | undefined {
    if (!this.#wantsSignature(slot)) return undefined;
    this.#pick(slot);
    if (this.#signature(slot) !== undefined) return undefined;
    const [from, to] = [this.#recordsEnd(slot) - this.query.start, ordinary.length - this.#optBytes()];
    // Copied: a Buffer's own `slice` would share memory in which the next answer is written.
    const records = Uint8Array.from(ordinary.subarray(from, to));
    const all = ((ordinary[6] ?? 0) << 8) | (ordinary[7] ?? 0);
    const own = slot.standings.reduce(
      (sum, { count }, index) => sum + (this.#mask & (1 << index) ? count : 0),
      0,
    );
    // Truncated, or there is no key.
    if (all <= own) return undefined;
    return { picked: this.#mask, name: this.name, signature: { records, count: all - own } };
  }

  #wantsSignature({ signatures }: Slot): boolean {
    return signatures !== undefined && (this.query.shape & SHAPE.DNSSEC_OK) !== 0;
  }

  /** The places of the picked nodes, best first. */
  #pick({ standings, outcome, answers, signatures }: Slot): Uint32Array {
    const contested = standings.length > 1;
    // All of them when all are down, as answer/choose.ts picks.
    this.#picked = outcome === 'Usable' ? Math.min(answers, standings.length) : standings.length;
    const unit = contested ? unitOf(this.client(), this.bits(contested)) : 0;
    const order = rankInPlace(standings, unit, this.#picked);
    this.#order = order;
    if (signatures === undefined) return order;
    this.#mask = 0;
    for (let place = 0; place < this.#picked; place++) this.#mask |= 1 << (order[place] ?? 0);
    return order;
  }

  #signature({ signatures }: Slot): Signature | undefined {
    return signatures?.get(this.#mask)?.get(this.name);
  }

  /** Where the records of the picked nodes end. */
  #recordsEnd({ standings }: Slot): number {
    let end = this.query.questionEnd;
    for (let place = 0; place < this.#picked; place++) {
      end += WORD * (standings[this.#order[place] ?? 0]?.records.length ?? 0);
    }
    return end;
  }

  #optBytes(): number {
    const { shape, sourceLength } = this.query;
    if (!(shape & SHAPE.EDNS)) return 0;
    return OPT_BYTES + (shape & SHAPE.SUBNET ? SUBNET_FIXED + givenBytes(sourceLength) : 0);
  }

  /** In place of the answer: that there is one, over TCP. */
  truncate(): number {
    const { query } = this;
    this.#writeHeader(FLAG.TC, 0);
    const end = query.shape & SHAPE.EDNS ? this.#writeOpt(query.questionEnd, undefined) : query.questionEnd;
    return end - query.start;
  }

  /** Counts what became of the query at hand. */
  count(what: CountedOutcome = 'answered'): void {
    if (this.tables === undefined) return;
    const { names, outcomes, chains, places } = this.tables.counts;
    raise(outcomes, OUTCOMES[what] + (this.query.family === 4 ? 0 : 1));
    if (what !== 'answered') return;
    raise(names, this.name);
    raise(chains, this.chain);
    raise(places, resultOf(this.leaf));
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

  #slot({ classes, geo }: FastTables): Slot | undefined {
    const place = 2 * resultOf(this.leaf) + (this.query.family === 4 ? 0 : 1);
    const places = 2 * geo.results.length;
    this.key = this.class * places + place;
    const ofClass = this.slots.get(this.key);
    if (ofClass !== BY_DOMAIN) return ofClass;
    this.key = (classes + this.name) * places + place;
    const ofDomain = this.slots.get(this.key);
    return ofDomain === BY_DOMAIN ? undefined : ofDomain;
  }

  #writeRecords(records: Uint32Array, start: number): number {
    let at = start;
    for (let index = 0; index < records.length; index++, at += WORD)
      this.#view.setUint32(at, records[index] ?? 0);
    return at;
  }

  /** The other counts are the query's: one question, an OPT record where it had one. */
  #writeHeader(kind: number, count: number): void {
    const { start, shape, recursionDesired } = this.query;
    const flags =
      FLAG.QR | kind | (recursionDesired ? FLAG.RD : 0) | (shape & SHAPE.CHECKING_DISABLED ? FLAG.CD : 0);
    this.#view.setUint16(start + 2, flags);
    this.#view.setUint16(start + 6, count);
  }

  #writeOpt(start: number, scope: number | undefined): number {
    const { shape, client, sourceLength } = this.query;
    const view = this.#view;
    const bytes = this.#bytes;
    bytes[start] = 0;
    view.setUint16(start + 1, TYPE.OPT);
    view.setUint16(start + 3, MAX_UDP_BYTES);
    view.setUint32(start + 5, shape & SHAPE.DNSSEC_OK ? EDNS_DO : 0);
    const options = start + OPT_BYTES;
    if (scope === undefined || !(shape & SHAPE.SUBNET)) {
      view.setUint16(start + 9, 0);
      return options;
    }
    const given = givenBytes(sourceLength);
    view.setUint16(start + 9, SUBNET_FIXED + given);
    view.setUint16(options, EDNS_OPTION.CLIENT_SUBNET);
    view.setUint16(options + 2, 4 + given);
    view.setUint16(options + 4, client.length === 4 ? 1 : 2);
    bytes[options + 6] = sourceLength;
    bytes[options + 7] = scope;
    const address = options + SUBNET_FIXED;
    for (let index = 0; index < given; index++) bytes[address + index] = client[index] ?? 0;
    return address + given;
  }
}

export interface NewSignature {
  /** The picked nodes, a bit for each place. */
  picked: number;
  /** The name's number. */
  name: number;
  signature: Signature;
}

const UNSIGNED: Signature = { records: new Uint8Array(), count: 0 };

/** Where signatures are kept, for a slot that is to have some. */
export function newSignatures(candidates: number): Slot['signatures'] {
  return candidates <= MAX_SIGNED_CANDIDATES ? new Map() : undefined;
}

export function keepSignature({ signatures }: Slot, { picked, name, signature }: NewSignature): void {
  const ofPicked = signatures?.get(picked) ?? new Map<number, Signature>();
  ofPicked.set(name, signature);
  signatures?.set(picked, ofPicked);
}

function raise(counters: Uint32Array, at: number): void {
  counters[at] = (counters[at] ?? 0) + 1;
}

/** Of a subnet option: code, length, family, source and scope length. */
const SUBNET_FIXED = 8;

function givenBytes(sourceLength: number): number {
  return (sourceLength + 7) >> 3;
}

/** The records of some addresses, ready to stand in an answer: owner, type, class, TTL and data make whole words. */
export function recordsOf(addresses: readonly { bytes: Uint8Array }[], ttl: number): Uint32Array {
  const parts = addresses.map(({ bytes }) => {
    const fixed = Buffer.alloc(12);
    fixed.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
    fixed.writeUInt16BE(bytes.length === 4 ? TYPE.A : TYPE.AAAA, 2);
    fixed.writeUInt16BE(1, 4);
    fixed.writeUInt32BE(ttl, 6);
    fixed.writeUInt16BE(bytes.length, 10);
    return Buffer.concat([fixed, bytes]);
  });
  const whole = Buffer.concat(parts);
  return Uint32Array.from({ length: whole.length / WORD }, (_, index) => whole.readUInt32BE(WORD * index));
}
