/**
 * Weighted rendezvous hashing: each node draws a number per unit of clients, and the units go to the highest. A node
 * that joins or leaves moves only the units that it wins or had. Nothing is kept, so all dns-servers agree.
 *
 * The score is -w / ln(h): a node with twice the weight wins twice the units (Schindelhauer and Schomaker, 2005).
 * V8 computes ln by the same portable code on every machine.
 */
import type { IpAddress } from '../geo/ip-address.ts';

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

/** What ranking looks at. */
export interface Ranked {
  node: { seed: number; spec: { name: string } };
  weight: number;
}

/** The ranking at hand, scores and places: a query makes no array for them. */
let scores = new Float64Array(64);
let order = new Uint32Array(64);

/** The best `count` nodes for a unit, best first. Weight 0 counts only where all have it. */
export function rank<T extends Ranked>(among: readonly T[], unit: number, count = among.length): T[] {
  const places = rankInPlace(among, unit, count);
  const best: T[] = [];
  for (let index = 0; index < Math.min(count, among.length); index++) {
    const item = among[places[index] ?? 0];
    if (item) best.push(item);
  }
  return best;
}

/** The same as places in `among`, good until the next ranking; as many are set as were asked for and there are. */
export function rankInPlace(among: readonly Ranked[], unit: number, count: number): Uint32Array {
  if (scores.length < among.length) {
    scores = new Float64Array(2 * among.length);
    order = new Uint32Array(2 * among.length);
  }
  setScores(among, unit);
  // By selection: of few nodes few are wanted, and sorting all costs more than the whole rest of an answer.
  for (let place = 0; place < count && place < among.length; place++) {
    let top = -1;
    for (let index = 0; index < among.length; index++) if (isBetter(among, index, top)) top = index;
    order[place] = top;
    scores[top] = Number.NEGATIVE_INFINITY;
  }
  return order;
}

function setScores(among: readonly Ranked[], unit: number): void {
  const first = among[0]?.weight;
  let equal = true;
  for (let index = 1; index < among.length; index++) equal &&= among[index]?.weight === first;
  for (let index = 0; index < among.length; index++) {
    const item = among[index];
    if (item === undefined) continue;
    const draw = drawn(unit, item.node.seed);
    // -w / ln(h) grows with h: of equal weights the draws alone tell, and a logarithm costs as much as the ranking.
    scores[index] = equal ? draw : -item.weight / Math.log(draw);
  }
}

function isBetter(among: readonly Ranked[], index: number, than: number): boolean {
  const score = scores[index] ?? 0;
  const best = than < 0 ? Number.NEGATIVE_INFINITY : (scores[than] ?? 0);
  if (score !== best) return score > best;
  if (score === Number.NEGATIVE_INFINITY) return false;
  return (among[index]?.node.spec.name ?? '') < (among[than]?.node.spec.name ?? '');
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
