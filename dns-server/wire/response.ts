/**
 * Writes one response into a buffer: header, the question as it came (its case is the resolver's proof that the answer
 * is no forgery), records, OPT. Sections are written in order; what does not fit sets TC.
 *
 *     begin ──> record … ──> finish
 */
import { type ClientSubnet, writeClientSubnet } from './client-subnet.ts';
import {
  CLASS_IN,
  EDNS_CO,
  EDNS_DO,
  EDNS_OPTION,
  FLAG,
  HEADER_BYTES,
  MAX_UDP_BYTES,
  RCODE,
  TYPE,
} from './constants.ts';
import type { Edns } from './query.ts';

/** The question's name stands right behind the header: a pointer to it is two bytes (RFC 1035 4.1.4). */
export const QUESTION_NAME = HEADER_BYTES;

export const SECTION = { ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 2 } as const;
export type Section = (typeof SECTION)[keyof typeof SECTION];

export interface ResponseHead {
  id: number;
  flags: number;
  edns: Edns | undefined;
  questionEnd: number;
}

/** The response for a query that we failed at: the header alone needs nothing that could fail again. */
export function servfail(message: Buffer): Buffer | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(message.readUInt16BE(0), 0);
  header.writeUInt16BE(FLAG.QR | (message.readUInt16BE(2) & (FLAG.OPCODE | FLAG.RD)) | RCODE.SERVFAIL, 2);
  return header;
}

const OPT_FIXED_BYTES = 11;

/** A pointer has 14 bits (RFC 1035 4.1.4). */
const MAX_POINTER = 0x3fff;

export class ResponseWriter {
  readonly buffer: Buffer;
  #at = 0;
  #limit = 0;
  #flags = 0;
  #questionEnd = 0;
  #rcode: number = RCODE.NOERROR;
  #edns: Edns | undefined;
  #scope: number | undefined;
  #extendedError: number | undefined;
  readonly #counts: [number, number, number] = [0, 0, 0];
  #options: { code: number; data: Uint8Array }[] = [];
  #padTo = 0;

  constructor(bytes: number) {
    this.buffer = Buffer.alloc(bytes);
  }

  /** Starts the response to `message`; `limit` is the largest size that the transport and the client take. */
  begin(message: Buffer, head: ResponseHead, limit: number): void {
    this.#edns = head.edns;
    this.#scope = undefined;
    this.#extendedError = undefined;
    this.#options = [];
    this.#padTo = 0;
    this.#rcode = RCODE.NOERROR;
    this.#flags = FLAG.QR | (head.flags & (FLAG.OPCODE | FLAG.RD | FLAG.CD));
    this.#counts.fill(0);
    message.copy(this.buffer, 0, 0, head.questionEnd);
    this.#questionEnd = head.questionEnd;
    this.#at = head.questionEnd;
    this.#limit = Math.min(limit, this.buffer.length) - this.#optBytes(head.edns);
  }

  get rcode(): number {
    return this.#rcode;
  }

  get truncated(): boolean {
    return (this.#flags & FLAG.TC) !== 0;
  }

  setRcode(rcode: number, extendedError?: number): undefined {
    this.#rcode = rcode;
    this.#extendedError = extendedError;
  }

  /** An EDNS option of the answer; before the first record, since it takes room from them. */
  option(code: number, data: Uint8Array): void {
    this.#options.push({ code, data });
    this.#limit -= 4 + data.length;
  }

  /** Makes the whole response a multiple of so many bytes (RFC 7830). */
  padTo(block: number): void {
    this.#padTo = block;
    this.#limit -= 4 + block;
  }

  /** No records, and TC: the client asks again over TCP. */
  truncate(): void {
    this.#truncate();
  }

  setAuthoritative(): void {
    this.#flags |= FLAG.AA;
  }

  /** For how much of the client's network the answer holds (RFC 7871 7.2.1); written only when the query asked. */
  setScope(scope: number): void {
    this.#scope = scope;
  }

  /**
   * A record whose owner is the name at `owner` in this message; returns where its data begins, if it fits. Additional
   * ones that do not are left out (RFC 2181 9), unless nothing can be done without them.
   */
  record(
    section: Section,
    owner: number,
    type: number,
    ttl: number,
    data: Uint8Array,
    needed: boolean = section !== SECTION.ADDITIONAL,
  ): number | undefined {
    const { buffer } = this;
    const end = this.#at + 12 + data.length;
    if (end > this.#limit || owner > MAX_POINTER) {
      if (needed) this.#truncate();
      return undefined;
    }
    let at = buffer.writeUInt16BE(0xc000 | owner, this.#at);
    at = buffer.writeUInt16BE(type, at);
    at = buffer.writeUInt16BE(CLASS_IN, at);
    at = buffer.writeUInt32BE(ttl, at);
    at = buffer.writeUInt16BE(data.length, at);
    buffer.set(data, at);
    this.#at = end;
    this.#counts[section]++;
    return at;
  }

  /** Whether records with these data still fit behind one another. */
  hasRoomFor(data: readonly Uint8Array[]): boolean {
    return data.reduce((end, { length }) => end + 12 + length, this.#at) <= this.#limit;
  }

  /** Completes header and OPT; returns the response's length. */
  finish(): number {
    const { buffer } = this;
    if (this.#edns !== undefined) this.#writeOpt(this.#edns);
    const flags = this.#flags | (this.#rcode & 0x0f);
    buffer.writeUInt16BE(flags, 2);
    buffer.writeUInt16BE(this.#questionEnd > HEADER_BYTES ? 1 : 0, 4);
    buffer.writeUInt16BE(this.#counts[SECTION.ANSWER], 6);
    buffer.writeUInt16BE(this.#counts[SECTION.AUTHORITY], 8);
    buffer.writeUInt16BE(this.#counts[SECTION.ADDITIONAL], 10);
    return this.#at;
  }

  #truncate(): void {
    this.#flags |= FLAG.TC;
    // A part of a set could be taken for the whole: a truncated answer carries none of it.
    this.#at = this.#questionEnd;
    this.#limit = this.#questionEnd;
    this.#counts.fill(0);
  }

  /** Room kept free for the OPT record with all that it may carry. */
  #optBytes(edns: Edns | undefined): number {
    if (edns === undefined) return 0;
    const subnet = edns.clientSubnet ? 8 + ((edns.clientSubnet.sourceLength + 7) >> 3) : 0;
    return OPT_FIXED_BYTES + subnet + 6;
  }

  #writeOpt({ dnssecOk, compactOk, clientSubnet }: Edns): void {
    const { buffer } = this;
    let at = buffer.writeUInt8(0, this.#at);
    at = buffer.writeUInt16BE(TYPE.OPT, at);
    at = buffer.writeUInt16BE(MAX_UDP_BYTES, at);
    at = buffer.writeUInt8(this.#rcode >> 4, at);
    at = buffer.writeUInt8(0, at);
    // CO is repeated with DO (RFC 9824 5.1); no other flag is (RFC 6891 6.1.4).
    at = buffer.writeUInt16BE(dnssecOk ? EDNS_DO | (compactOk ? EDNS_CO : 0) : 0, at);
    const lengthAt = at;
    at += 2;
    if (clientSubnet && this.#scope !== undefined) at = this.#writeSubnet(at, clientSubnet, this.#scope);
    if (this.#extendedError !== undefined) {
      at = this.#writeOption(at, EDNS_OPTION.EXTENDED_ERROR, Buffer.of(0, this.#extendedError));
    }
    for (const { code, data } of this.#options) at = this.#writeOption(at, code, data);
    if (this.#padTo > 0) {
      const padding = Buffer.alloc((this.#padTo - ((at + 4) % this.#padTo)) % this.#padTo);
      at = this.#writeOption(at, EDNS_OPTION.PADDING, padding);
    }
    buffer.writeUInt16BE(at - lengthAt - 2, lengthAt);
    this.#at = at;
    this.#counts[SECTION.ADDITIONAL]++;
  }

  #writeOption(offset: number, code: number, data: Uint8Array): number {
    const { buffer } = this;
    const at = buffer.writeUInt16BE(data.length, buffer.writeUInt16BE(code, offset));
    buffer.set(data, at);
    return at + data.length;
  }

  #writeSubnet(offset: number, subnet: ClientSubnet, scope: number): number {
    const { buffer } = this;
    const data = buffer.writeUInt16BE(EDNS_OPTION.CLIENT_SUBNET, offset) + 2;
    const end = writeClientSubnet(buffer, data, subnet, scope);
    buffer.writeUInt16BE(end - data, data - 2);
    return end;
  }
}
