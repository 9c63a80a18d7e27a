/** Requests as caches see them, made from a seed. */

export interface Request {
  key: string;
  bytes: number;
}

export interface Trace {
  name: string;
  requests(): Iterable<Request>;
}

const OBJECTS = 100_000;
const REQUESTS = 500_000;
/** Requests between two scans, and how many objects a scan asks for, once each. */
const SCAN_EVERY = 100_000;
const SCAN_LENGTH = 30_000;

export function traces(seed: number): Trace[] {
  return [
    { name: 'Zipf 0.8', requests: () => zipf(seed, 0.8) },
    { name: 'Zipf 1.0', requests: () => zipf(seed, 1) },
    { name: 'Zipf 0.8 with scans', requests: () => withScans(zipf(seed, 0.8)) },
    { name: 'Zipf 0.8, favourites change', requests: () => drifting(seed) },
  ];
}

function* zipf(seed: number, exponent: number): Iterable<Request> {
  const random = generator(seed);
  const cumulative = new Float64Array(OBJECTS);
  let sum = 0;
  for (let rank = 0; rank < OBJECTS; rank++) {
    sum += 1 / (rank + 1) ** exponent;
    cumulative[rank] = sum;
  }
  for (let index = 0; index < REQUESTS; index++) yield object(firstAbove(cumulative, random() * sum));
}

function* withScans(requests: Iterable<Request>): Iterable<Request> {
  let count = 0;
  for (const request of requests) {
    yield request;
    if (++count % SCAN_EVERY !== 0) continue;
    for (let index = 0; index < SCAN_LENGTH; index++) yield object(OBJECTS + count + index);
  }
}

function* drifting(seed: number): Iterable<Request> {
  let count = 0;
  for (const { key } of zipf(seed, 0.8)) {
    // Every so often, a fifth of the ranks belongs to other objects.
    const phase = Math.floor(count++ / SCAN_EVERY);
    const rank = Number(key);
    yield object(rank % 5 === phase % 5 ? rank + (phase + 1) * OBJECTS : rank);
  }
}

/** Sizes from 1 KB to 256 KB, many small ones; the same object has the same one. */
function object(number: number): Request {
  const random = generator(number)();
  return { key: String(number), bytes: Math.floor(1_024 * 256 ** (random * random)) };
}

function firstAbove(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** mulberry32. */
function generator(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
