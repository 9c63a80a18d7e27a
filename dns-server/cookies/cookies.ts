/**
 * DNS cookies (RFC 7873) in the form that all servers of a name can share (RFC 9018): who sends one back is no forged
 * source. Both paths to an answer judge them here. Pure but for the secret.
 *
 *     client's half (8 bytes) | version, 3 reserved bytes | time | hash (8 bytes)
 */
import type { IpAddress } from '../geo/ip-address.ts';
import { type SipKey, sipHash24, sipKey } from './siphash.ts';

export const SECRET_BYTES = 16;

const CLIENT_BYTES = 8;
/** Of a cookie that has both halves, ours as RFC 9018 4 wants it. */
export const COOKIE_BYTES = 24;
const WORD = 4;
/** Where in a cookie of words its parts stand. */
const VERSION_AT = 2;
const TIME_AT = 3;
const HASH_AT = 4;
/** Version 1 and nothing reserved, as a word whose first byte is the lowest. */
const VERSION = 1;

/** Seconds. RFC 9018 4.3: good for an hour, for five minutes of a clock that is ahead, made anew after half an hour. */
const MAX_AGE = 3_600;
const MAX_AHEAD = 300;
const RENEW_AGE = 1_800;

/** The server's half of a cookie: not sent, one of ours for this client, or another. */
export type ServerCookie = 'absent' | 'good' | 'bad';

/** A client cookie of 8 bytes alone, or with a server cookie of 8 to 32 (RFC 7873 5.2.2). */
export function isCookieLength(length: number): boolean {
  return length === CLIENT_BYTES || (length >= 16 && length <= 40);
}

/** Reads one cookie after the other, judges it, and writes the one to answer with; nothing is made for it. */
export class CookieDesk {
  /** What became of the cookie at hand. */
  server: ServerCookie = 'absent';
  #key: SipKey;
  /** Bytes of the cookie at hand. */
  #length = 0;
  readonly #cookie = new Int32Array(COOKIE_BYTES / WORD);
  readonly #hash = new Int32Array(2);
  /** What is hashed: client's half, version, time and address (RFC 9018 4.4). */
  readonly #hashed = { 4: new Int32Array(HASH_AT + 1), 6: new Int32Array(HASH_AT + 4) };

  constructor(secret: Buffer) {
    this.#key = sipKey(secret);
  }

  useSecret(secret: Buffer): void {
    this.#key = sipKey(secret);
  }

  /** Takes the cookie of this length over, which is one that `isCookieLength` allows. */
  read(message: DataView, at: number, length: number): void {
    this.#length = length;
    const words = (length === COOKIE_BYTES ? COOKIE_BYTES : CLIENT_BYTES) / WORD;
    for (let word = 0; word < words; word++) this.#cookie[word] = message.getInt32(at + WORD * word, true);
  }

  /** Of the cookie that was read, sent from this address; `now` in milliseconds. */
  judge(source: Uint8Array, now: number): void {
    const seconds = Math.floor(now / 1_000) | 0;
    const cookie = this.#cookie;
    const hashed = this.#hashed[source.length === 4 ? 4 : 6];
    hashed[0] = cookie[0] ?? 0;
    hashed[1] = cookie[1] ?? 0;
    hashed[VERSION_AT] = VERSION;
    for (let word = HASH_AT; word < hashed.length; word++)
      hashed[word] = wordOf(source, WORD * (word - HASH_AT));
    const age = this.#ageAt(seconds);
    const good = age <= MAX_AGE && age >= -MAX_AHEAD && this.#isOurs(hashed);
    this.server = this.#length === CLIENT_BYTES ? 'absent' : good ? 'good' : 'bad';
    if (good && age <= RENEW_AGE) return;
    cookie[VERSION_AT] = VERSION;
    cookie[TIME_AT] = hashed[TIME_AT] = turned(seconds);
    sipHash24(this.#key, hashed, this.#hash);
    cookie.set(this.#hash, HASH_AT);
  }

  /** The cookie that the judged one is answered with; returns where it ends. */
  write(message: DataView, at: number): number {
    for (let word = 0; word < COOKIE_BYTES / WORD; word++)
      message.setInt32(at + WORD * word, this.#cookie[word] ?? 0, true);
    return at + COOKIE_BYTES;
  }

  /** In seconds; more than any that is good for what cannot be one of ours. */
  #ageAt(seconds: number): number {
    if (this.#length !== COOKIE_BYTES || this.#cookie[VERSION_AT] !== VERSION) return MAX_AGE + 1;
    // Serial arithmetic: the time has 32 bits (RFC 9018 4.3).
    return (seconds - turned(this.#cookie[TIME_AT] ?? 0)) | 0;
  }

  /** In the same time wherever the hashes differ: a guess must not be told how far it was right. */
  #isOurs(hashed: Int32Array): boolean {
    const cookie = this.#cookie;
    hashed[TIME_AT] = cookie[TIME_AT] ?? 0;
    sipHash24(this.#key, hashed, this.#hash);
    const low = (this.#hash[0] ?? 0) ^ (cookie[HASH_AT] ?? 0);
    const high = (this.#hash[1] ?? 0) ^ (cookie[HASH_AT + 1] ?? 0);
    return (low | high) === 0;
  }
}

export interface CookieVerdict {
  server: ServerCookie;
  /** The option's data for the answer. */
  answer: Buffer;
}

/** `cookie` is the option's data: a client cookie, and maybe a server cookie behind it. */
export function judgeCookie(secret: Buffer, cookie: Buffer, source: IpAddress, now: number): CookieVerdict {
  const desk = new CookieDesk(secret);
  desk.read(new DataView(cookie.buffer, cookie.byteOffset, cookie.length), 0, cookie.length);
  desk.judge(source.bytes, now);
  const answer = Buffer.alloc(COOKIE_BYTES);
  desk.write(new DataView(answer.buffer, answer.byteOffset, answer.length), 0);
  return { server: desk.server, answer };
}

function wordOf(bytes: Uint8Array, at: number): number {
  const lower = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  return lower | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

/** With its bytes the other way round: the time stands most significant byte first. */
function turned(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >> 8) & 0xff00) | (word >>> 24);
}
