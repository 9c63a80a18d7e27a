/**
 * Weighted rendezvous hashing: each node draws a number per unit of clients, and the units go to the highest. A node
 * that joins or leaves moves only the units that it wins or had. Nothing is kept, so all dns-servers agree.
 *
 * The score is -w / ln(h): a node with twice the weight wins twice the units (Schindelhauer and Schomaker, 2005).
 * V8 computes ln by the same portable code on every machine.
 */

/** A unit of clients is never larger than this, so that the share of a huge network can be divided. */
export const UNIT_BITS = { 4: 20, 6: 40 } as const;

/** Hashes the first `bits` of an address: equal for all clients of a unit. */
export function unitOf(bytes: Uint8Array, bits: number): number {
  const version = bytes.length === 4 ? 4 : 6;
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

/** Candidates as ranking reads them: in few places, and with all done that is the same for every unit. */
export interface Ranking {
  /** Mixed. */
  seeds: Uint32Array;
  /** Nothing where all are equal. */
  weights: Float64Array | undefined;
  names: string[];
}

export function rankingOf(among: readonly Ranked[]): Ranking {
  const equal = among.every(({ weight }) => weight === among[0]?.weight);
  return {
    seeds: Uint32Array.from(among, ({ node }) => mix(node.seed)),
    weights: equal ? undefined : Float64Array.from(among, ({ weight }) => weight),
    names: among.map(({ node }) => node.spec.name),
  };
}

/** The ranking at hand, scores and places: a query makes no array for them. */
let scores = new Float64Array(64);
let order = new Uint32Array(64);

/** The best `count` nodes for a unit, best first. Weight 0 counts only where all have it. */
export function rank<T extends Ranked>(among: readonly T[], unit: number, count = among.length): T[] {
  const places = rankInPlace(rankingOf(among), unit, count);
  const best: T[] = [];
  for (let index = 0; index < Math.min(count, among.length); index++) {
    const item = among[places[index] ?? 0];
    if (item) best.push(item);
  }
  return best;
}

/** The same as places in `among`, good until the next ranking; as many are set as were asked for and there are. */
export function rankInPlace({ seeds, weights, names }: Ranking, unit: number, count: number): Uint32Array {
  const size = seeds.length;
  if (size === 2 && weights === undefined) return rankPair(seeds, names, unit);
  if (scores.length < size) {
    scores = new Float64Array(2 * size);
    order = new Uint32Array(2 * size);
  }
  for (let index = 0; index < size; index++) {
    const draw = drawnBy(unit, seeds[index] ?? 0);
    // -w / ln(h) grows with h: of equal weights the draws alone tell, and a logarithm costs as much as the ranking.
    scores[index] = weights ? -(weights[index] ?? 0) / Math.log(draw) : draw;
  }
  // By selection: of few nodes few are wanted, and sorting all costs more than the whole rest of an answer.
  for (let place = 0; place < count && place < size; place++) {
    let top = -1;
    let best = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < size; index++) {
      const score = scores[index] ?? 0;
      if (score < best || (score === best && !isBefore(names, index, top))) continue;
      top = index;
      best = score;
    }
    order[place] = top;
    scores[top] = Number.NEGATIVE_INFINITY;
  }
  return order;
}

/** Two that are equal, of which sites mostly have two: the hashes themselves tell, and nothing is searched for. */
function rankPair(seeds: Uint32Array, names: readonly string[], unit: number): Uint32Array {
  const first = mix(unit ^ (seeds[0] ?? 0));
  const second = mix(unit ^ (seeds[1] ?? 0));
  const top = second > first || (second === first && isBefore(names, 1, 0)) ? 1 : 0;
  order[0] = top;
  order[1] = 1 - top;
  return order;
}

/** Of equal scores the first name wins; places that are taken already have the lowest score there is. */
function isBefore(names: readonly string[], index: number, top: number): boolean {
  return top >= 0 && (names[index] ?? '') < (names[top] ?? '');
}

/** What a unit draws for a seed: above 0 and below 1, so that the logarithm is finite and not 0. */
export function drawn(unit: number, seed: number): number {
  return drawnBy(unit, mix(seed));
}

function drawnBy(unit: number, mixedSeed: number): number {
  return (mix(unit ^ mixedSeed) + 0.5) / 2 ** 32;
}

/** The finaliser of MurmurHash3: every bit of the input changes half of the output's. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
