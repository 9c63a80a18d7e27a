/**
 * Knot DNS' rate limiting: a client is counted by its address and by the networks around it, each with a multiple of
 * one limit, so that neither an address nor a network of forged ones gets more than its share.
 */
import { randomBytes } from 'node:crypto';
import type { IpAddress } from '../geo/ip-address.ts';
import { type CounterMemory, counterMemory, DecayingCounters } from './decaying-counters.ts';

/** Prefix length and how many times the limit of one address it has. */
export type PrefixLimits = Readonly<
  Record<4 | 6, readonly (readonly [length: number, multiplier: number])[]>
>;

/** As in Knot DNS 3.4, src/knot/modules/rrl/functions.c. */
export const KNOT_PREFIXES: PrefixLimits = {
  4: [
    [18, 768],
    [20, 256],
    [24, 32],
    [32, 1],
  ],
  6: [
    [32, 64],
    [48, 4],
    [56, 3],
    [64, 2],
    [128, 1],
  ],
};

export const ADDRESS_ONLY: PrefixLimits = { 4: [[32, 1]], 6: [[128, 1]] };

export interface Rate {
  perSecond: number;
  /** How many may come at once after a pause. */
  burst: number;
}

/** 64 Ki groups of four: 5 MiB, and room for a quarter of a million busy addresses. */
const GROUPS = 65_536;

/** What a limiter counted so far, for all threads that limit by it. */
export interface LimiterMemory {
  counters: CounterMemory;
  /** Nobody outside can choose addresses that fall together. */
  seeds: readonly [number, number];
}

export function limiterMemory(): LimiterMemory {
  return {
    counters: counterMemory(GROUPS),
    seeds: [randomBytes(4).readUInt32LE(), randomBytes(4).readUInt32LE()],
  };
}

export class PrefixLimiter {
  readonly #prefixes: PrefixLimits;
  readonly #burst: number;
  readonly #counters: DecayingCounters;
  readonly #seeds: LimiterMemory['seeds'];
  readonly #places: number[] = [];

  constructor({ perSecond, burst }: Rate, prefixes: PrefixLimits, { counters, seeds }: LimiterMemory) {
    this.#seeds = seeds;
    this.#prefixes = prefixes;
    this.#burst = burst;
    // At `perSecond` the count stands still at `burst`: what decays in a second is what comes in.
    this.#counters = new DecayingCounters(counters, (burst / perSecond) * 1_000);
  }

  /** Whether one more is within all limits; only then it is counted, as in Knot. */
  admit({ version, bytes }: IpAddress, now: number): boolean {
    const prefixes = this.#prefixes[version];
    for (const [index, [length, multiplier]] of prefixes.entries()) {
      const hash = hashPrefix(bytes, length, this.#seeds[0]);
      const place = this.#counters.place(hash, hashPrefix(bytes, length, this.#seeds[1]), now);
      if (this.#counters.load(place) + 1 > this.#burst * multiplier) return false;
      this.#places[index] = place;
    }
    for (let index = 0; index < prefixes.length; index++) this.#counters.count(this.#places[index] ?? 0);
    return true;
  }
}

/** Murmur3's mixing over the prefix' bits and its length. */
function hashPrefix(bytes: Uint8Array, length: number, seed: number): number {
  let hash = seed ^ length;
  for (let bit = 0; bit < length; bit += 8) {
    const keep = Math.min(8, length - bit);
    const byte = (bytes[bit >> 3] ?? 0) & (0xff << (8 - keep));
    hash = Math.imul(hash ^ byte, 0x85eb_ca6b);
    hash = (hash ^ (hash >>> 13)) | 0;
  }
  hash = Math.imul(hash, 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
