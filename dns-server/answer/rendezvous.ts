/**
 * Weighted rendezvous hashing: each node draws a number per unit of clients, and the units go to the highest. A node
 * that joins or leaves moves only the units that it wins or had. Nothing is kept, so all dns-servers agree.
 *
 * The score is -w / ln(h): a node with twice the weight wins twice the units (Schindelhauer and Schomaker, 2005).
 * V8 computes ln by the same portable code on every machine.
 */
import type { IpAddress } from '../geo/ip-address.ts';
import type { PreparedNode } from '../plan/prepared-plan.ts';

/** A unit of clients is never larger than this, so that the share of a huge network can be divided. */
export const UNIT_BITS = { 4: 20, 6: 40 } as const;

/** Hashes the first `bits` of an address: equal for all clients of a unit. */
export function unitOf({ version, bytes }: IpAddress, bits: number): number {
  let hash = mix(0x9e3779b9 ^ (version << 8) ^ bits);
  for (let at = 0; at < bits; at += 8) {
    const spare = Math.max(0, at + 8 - bits);
    hash = Math.imul(hash ^ ((bytes[at >> 3] ?? 0) & (0xff << spare)), 0x01000193);
  }
  return mix(hash);
}

/** Nodes for a unit, best first. Weight 0 counts only where all have it. */
export function rank<T extends { node: PreparedNode; weight: number }>(
  among: readonly T[],
  unit: number,
): T[] {
  const equal = among.every(({ weight }) => weight === 0);
  return among
    .map((item) => ({ item, score: score(item.node, unit, equal ? 1 : item.weight) }))
    .sort((a, b) => b.score - a.score || (a.item.node.spec.name < b.item.node.spec.name ? -1 : 1))
    .map(({ item }) => item);
}

function score({ seed }: PreparedNode, unit: number, weight: number): number {
  return -weight / Math.log(drawn(unit, seed));
}

/** What a unit draws for a seed: above 0 and below 1, so that the logarithm is finite and not 0. */
export function drawn(unit: number, seed: number): number {
  return (mix(unit ^ mix(seed)) + 0.5) / 2 ** 32;
}

/** The finaliser of MurmurHash3: every bit of the input changes half of the output's. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
