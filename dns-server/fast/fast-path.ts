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
import { rankInPlace, UNIT_BITS, unitOf } from '../answer/rendezvous.ts';
import { CookieDesk, SECRET_BYTES } from '../cookies/cookies.ts';
import type { CompiledGeo } from '../geo/compile.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { findLeaf, lengthOf, resultOf } from '../geo/prefix-table.ts';
import { FLAG, HEADER_BYTES } from '../wire/constants.ts';
import { COOKIES, type CountedOutcome, type Counts, OUTCOMES } from './counts.ts';
import { classOf, findName, type NameTable, numberOf } from './name-table.ts';
import { type PacketMemory, PlainQuery, SHAPE } from './plain-query.ts';
import { BY_DOMAIN, FIT, type NewSignature, type Signature, type Slot, type Slots } from './slot.ts';
import { optBytes, writeHeader, writeOpt } from './write-answer.ts';

/** What there is to look up. All of it lies in shared memory or is small. */
export interface FastTables {
  /** Domains of one class get the same answers, as far as a plan tells. */
  names: NameTable;
  classes: number;
  geo: CompiledGeo;
  /** What is counted here. */
  counts: Counts;
}

export const NOT_PLAIN = 0;
/** There is no slot, or none that is known to be right for the query: the ordinary path answers, and may teach one. */
export const UNKNOWN = -1;

/** Room that the ordinary path keeps for an extended error. */
const SPARE_BYTES = 6;
const WORD = 4;

export class FastPath {
  readonly query: PlainQuery;
  tables: FastTables | undefined;
  slots = new Map<number, Slot | typeof BY_DOMAIN>();
  /** Of the query at hand: its name's number and class, its client's leaf, where its slot is or would be, its chain. */
  name = 0;
  class = 0;
  leaf = 0;
  key = 0;
  chain = 0;
  /** Who sent it, and when: a cookie is for an address and an hour. */
  #source: Uint8Array = new Uint8Array();
  #now = 0;
  /** Of the slot at hand: the places of the picked nodes in order, and as bits; how many records they have. */
  #order: Uint32Array = new Uint32Array();
  #mask = 0;
  #count = 0;
  /** For how many bits of the client's address the answer holds. */
  #bits = 0;
  readonly #cookie: CookieDesk;
  readonly #view: DataView;
  readonly #ipv4: IpAddress = { version: 4, bytes: new Uint8Array() };
  readonly #ipv6: IpAddress = { version: 6, bytes: new Uint8Array() };

  /** Queries stand there, with room behind each for its answer. */
  constructor(memory: PacketMemory) {
    this.#view = memory.view;
    this.#cookie = new CookieDesk(Buffer.alloc(SECRET_BYTES));
    this.query = new PlainQuery(memory, this.#cookie);
  }

  /** Tables and the slots that go with them, or other slots for the same tables. */
  use(tables: FastTables | undefined, slots: Slots = new Map()): void {
    this.tables = tables;
    this.slots = new Map(slots);
  }

  /** Cookies are made with it from now on. */
  useCookieSecret(secret: Buffer): void {
    this.#cookie.useSecret(secret);
  }

  /** Answers the query in `[start, end)` in its place; returns the answer's length, NOT_PLAIN or UNKNOWN. */
  answer(start: number, end: number, source: Uint8Array, now: number): number {
    const { query, tables } = this;
    if (tables === undefined || !query.read(start, end, source)) return NOT_PLAIN;
    const known = findName(tables.names, this.#view, start + HEADER_BYTES, query.nameEnd);
    if (known < 0) return NOT_PLAIN;
    this.name = numberOf(tables.names, known);
    this.class = classOf(tables.names, known);
    this.#source = source;
    this.#now = now;
    const { client } = query;
    this.leaf = findLeaf(client.length === 4 ? tables.geo.ipv4 : tables.geo.ipv6, client);
    const slot = this.#slot(tables);
    if (slot === undefined || slot.shapes[query.shape] !== FIT.RIGHT) return UNKNOWN;
    return this.write(slot);
  }

  /** The answer from a slot. NOT_PLAIN when it would be too long, UNKNOWN without a signature: nothing was written. */
  write(slot: Slot): number {
    const { query } = this;
    const { questionEnd } = query;
    this.#pick(slot);
    const signature = this.#wantsSignature(slot) ? this.#signature(slot) : UNSIGNED;
    if (signature === undefined) return UNKNOWN;
    const recordsEnd = questionEnd + WORD * slot.words * this.#count;
    const optStart = recordsEnd + signature.records.length;
    const length = optStart - query.start + optBytes(query);
    // The ordinary path knows what to do with one that may not fit: it keeps room for options that are not used.
    if (length + SPARE_BYTES > query.limit) return NOT_PLAIN;
    this.chain = slot.chain;
    if (query.shape & SHAPE.COOKIE) query.cookie.judge(this.#source, this.#now);
    this.#writeRecords(slot, questionEnd);
    if (signature.count > 0) query.bytes.set(signature.records, recordsEnd);
    writeHeader(query, FLAG.AA, this.#count + signature.count);
    if (query.shape & SHAPE.EDNS) writeOpt(query, optStart, slot.scoped ? this.#bits : 0);
    return length;
  }

  #writeRecords({ records, words, bounds, picked }: Slot, start: number): void {
    const view = this.#view;
    const order = this.#order;
    let at = start;
    for (let place = 0; place < picked; place++) {
      const candidate = order[place] ?? 0;
      const end = words * (bounds[candidate + 1] ?? 0);
      for (let word = words * (bounds[candidate] ?? 0); word < end; word++, at += WORD)
        view.setUint32(at, records[word] ?? 0);
    }
  }

  /** Takes the signature that the slot lacks for the query at hand out of the ordinary answer to it. */
  missingSignature(slot: Slot, ordinary: Uint8Array): NewSignature | undefined {
    if (!this.#wantsSignature(slot)) return undefined;
    this.#pick(slot);
    if (this.#signature(slot) !== undefined) return undefined;
    const from = this.query.questionEnd - this.query.start + WORD * slot.words * this.#count;
    const to = ordinary.length - optBytes(this.query);
    // Copied: a Buffer's own `slice` would share memory in which the next answer is written.
    const records = Uint8Array.from(ordinary.subarray(from, to));
    const all = ((ordinary[6] ?? 0) << 8) | (ordinary[7] ?? 0);
    const own = this.#count;
    // Truncated, or there is no key.
    if (all <= own) return undefined;
    return { picked: this.#mask, name: this.name, signature: { records, count: all - own } };
  }

  #wantsSignature({ signatures }: Slot): boolean {
    return signatures !== undefined && (this.query.shape & SHAPE.DNSSEC_OK) !== 0;
  }

  /** Sets the places of the picked nodes, best first, and how many records they have. */
  #pick({ ranking, picked, bounds, signatures }: Slot): void {
    const { client } = this.query;
    const contested = ranking.seeds.length > 1;
    this.#bits = this.bits(contested);
    const order = rankInPlace(ranking, contested ? unitOf(client, this.#bits) : 0, picked);
    this.#order = order;
    let count = 0;
    let mask = 0;
    for (let place = 0; place < picked; place++) {
      const candidate = order[place] ?? 0;
      count += (bounds[candidate + 1] ?? 0) - (bounds[candidate] ?? 0);
      mask |= 1 << candidate;
    }
    this.#count = count;
    // Only with few candidates is it one number for one set of them: those have signatures.
    this.#mask = signatures === undefined ? 0 : mask;
  }

  #signature({ signatures }: Slot): Signature | undefined {
    return signatures?.get(this.#mask)?.get(this.name);
  }

  /** In place of the answer: that there is one, over TCP. */
  truncate(): number {
    const { query } = this;
    writeHeader(query, FLAG.TC, 0);
    const end = query.shape & SHAPE.EDNS ? writeOpt(query, query.questionEnd, undefined) : query.questionEnd;
    return end - query.start;
  }

  /** Counts what became of the query at hand. */
  count(what: CountedOutcome = 'answered'): void {
    if (this.tables === undefined) return;
    const { names, outcomes, chains, places, cookies } = this.tables.counts;
    raise(outcomes, OUTCOMES[what] + (this.query.family === 4 ? 0 : 1));
    if (this.query.shape & SHAPE.COOKIE) raise(cookies, COOKIES[this.#cookie.server]);
    if (what !== 'answered') return;
    raise(names, this.name);
    raise(chains, this.chain);
    raise(places, resultOf(this.leaf));
  }

  /** Whether the query at hand has a cookie that shows that its source is not forged. */
  hasGoodCookie(): boolean {
    return (this.query.shape & SHAPE.COOKIE) !== 0 && this.#cookie.server === 'good';
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
}

const UNSIGNED: Signature = { records: new Uint8Array(), count: 0 };

function raise(counters: Uint32Array, at: number): void {
  counters[at] = (counters[at] ?? 0) + 1;
}
