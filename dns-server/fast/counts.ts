/**
 * What answers from prepared slots are counted by. In shared memory: a thread counts in its own, the thread with the
 * metrics reads them.
 */

import { CHAINS } from '../answer/steps.ts';
import type { ServerCookie } from '../cookies/cookies.ts';

export interface Counts {
  /** By a name's number. */
  names: Uint32Array;
  /** By what became of the query: for A, and right after it for AAAA. */
  outcomes: Uint32Array;
  /** By the chain of the choice. */
  chains: Uint32Array;
  /** By the geo table's result. */
  places: Uint32Array;
  /** By the server's half of a cookie. */
  cookies: Uint32Array;
}

export const OUTCOMES = { answered: 0, truncated: 2, dropped: 4, clientTruncated: 6 } as const;
export type CountedOutcome = keyof typeof OUTCOMES;
/** Where each is counted. */
export const COOKIES: Record<ServerCookie, number> = { absent: 0, good: 1, bad: 2 };
const OUTCOME_COUNTERS = 2 * Object.keys(OUTCOMES).length;

export function newCounts(names: number, places: number): Counts {
  return {
    names: shared(names),
    outcomes: shared(OUTCOME_COUNTERS),
    chains: shared(CHAINS),
    places: shared(places),
    cookies: shared(Object.keys(COOKIES).length),
  };
}

/** As many counters as these, all zero. */
export function emptyLike({ names, places }: Counts): Counts {
  return newCounts(names.length, places.length);
}

function shared(length: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(Uint32Array.BYTES_PER_ELEMENT * Math.max(1, length)));
}
