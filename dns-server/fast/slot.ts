/**
 * A slot: what the ordinary path chose for a class of domains and a place, with the records ready to stand in an answer.
 * It travels between threads as it is.
 */
import type { Ranking } from '../answer/rendezvous.ts';
import type { Family } from '../plan/prepared-address.ts';
import { HEADER_BYTES, TYPE } from '../wire/constants.ts';

/** The RRSIG records of an answer, as they stand behind its other records. */
export interface Signature {
  records: Uint8Array;
  count: number;
}

export interface Slot {
  /** Its candidates, and how many of them are picked. */
  ranking: Ranking;
  picked: number;
  /** Their address records as words, TTL and all, owned by the question's name. */
  records: Uint32Array;
  /** Of one record. */
  words: number;
  /** Which records are a candidate's: from its own bound to the next. */
  bounds: Uint32Array;
  /** Whether the answer depends on the client. */
  scoped: boolean;
  /** How it was chosen, for the counts (answer/steps.ts). */
  chain: number;
  /** With a signed zone: RRSIG records by the nodes that were picked, and by the name's number. */
  signatures: Map<number, Map<number, Signature>> | undefined;
  /** By shape of query: whether it was found right for it. */
  shapes: Uint8Array;
}

/** What is known of a slot and a shape of query: nothing, that it gives the ordinary answer, that it does not. */
export const FIT = { UNKNOWN: 0, RIGHT: 1, WRONG: 2 } as const;

/** In place of a slot: its domains are treated differently at the moment, and have slots of their own. */
export const BY_DOMAIN = 'ByDomain';

/** By class or name, place and family: see FastPath. */
export type Slots = ReadonlyMap<number, Slot | typeof BY_DOMAIN>;

export interface NewSignature {
  /** The picked nodes, a bit for each place. */
  picked: number;
  /** The name's number. */
  name: number;
  signature: Signature;
}

/** More candidates than these bits are not told apart by one number: their answers are signed on the ordinary path. */
const MAX_SIGNED_CANDIDATES = 30;

/** Where signatures are kept, for a slot that is to have some. */
export function newSignatures(candidates: number): Slot['signatures'] {
  return candidates <= MAX_SIGNED_CANDIDATES ? new Map() : undefined;
}

export function keepSignature({ signatures }: Slot, { picked, name, signature }: NewSignature): void {
  const ofPicked = signatures?.get(picked) ?? new Map<number, Signature>();
  ofPicked.set(name, signature);
  signatures?.set(picked, ofPicked);
}

const WORD = Uint32Array.BYTES_PER_ELEMENT;

/** In words: an A or AAAA record whose owner is a pointer to the question. */
const RECORD_WORDS = { 4: 4, 6: 7 } as const;

/** The records of some addresses, ready to stand in an answer: owner, type, class, TTL and data make whole words. */
export function recordsOf(
  family: Family,
  addresses: readonly { bytes: Uint8Array }[],
  ttl: number,
): Pick<Slot, 'records' | 'words'> {
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
  const length = whole.length / WORD;
  return {
    records: Uint32Array.from({ length }, (_, index) => whole.readUInt32BE(WORD * index)),
    words: RECORD_WORDS[family],
  };
}
