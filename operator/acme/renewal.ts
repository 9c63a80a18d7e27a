/** When a certificate is renewed, and when one that failed is tried again. Pure. */
import { createHash } from 'node:crypto';
import type { Pair } from '../certificates/pair.ts';

/** The same share for the same certificate, so that a new leader and a status agree; between 0 and 1. */
function shareOf(serialNumber: string): number {
  return createHash('sha256').update(serialNumber).digest().readUInt32BE() / 2 ** 32;
}

/** A twentieth of its life, so that what was ordered together is not renewed together. */
const JITTER = 1 / 20;

/** Of its life: a server that suggests a later time, or one in the year 9999, does not have it run out. */
const LATEST = 9 / 10;

/** Two thirds of its life, and a little; or within the window that its server suggests (RFC 9773 4.2). */
export function renewalTime(pair: Pair, window?: { start: number; end: number }): number {
  const share = shareOf(pair.serialNumber);
  const life = pair.notAfter - pair.notBefore;
  if (window && window.end > window.start)
    return Math.min(window.start + share * (window.end - window.start), pair.notBefore + life * LATEST);
  return pair.notBefore + life * (2 / 3 + share * JITTER);
}

/** Of its life, and an hour at most. */
const SOONEST = 1 / 3;
const SOONEST_MS = 3_600_000;

/**
 * How soon after one was issued the next is. A server that dates by another clock, or whose window has always passed,
 * issues what is due at once, and would be asked without end.
 */
export const soonestRenewalMs = ({ notBefore, notAfter }: Pair): number =>
  Math.min((notAfter - notBefore) * SOONEST, SOONEST_MS);

export interface Pace {
  baseMs: number;
  capMs: number;
}

/** For faults of a line or a server, and for refusals: Let's Encrypt allows five failed validations an hour. */
export const PACES = {
  line: { baseMs: 10_000, capMs: 3_600_000 },
  refusal: { baseMs: 900_000, capMs: 86_400_000 },
  /** Nothing was asked of the server: somebody has to put something into the DNS, and waits for us to see it. */
  preparation: { baseMs: 30_000, capMs: 600_000 },
} satisfies Record<string, Pace>;
export type Paces = Record<keyof typeof PACES, Pace>;

/** No limit of a known server lasts longer; one that asks for a year would let certificates run out. */
const MOST_RETRY_AFTER_MS = 7 * 86_400_000;

/** `random`: 0 <= n < 1. The server's own word counts where it asks for more. */
export function retryInMs(
  { baseMs, capMs }: Pace,
  failures: number,
  random: number,
  retryAfterMs = 0,
): number {
  const grown = Math.min(capMs, baseMs * 2 ** Math.min(failures, 20));
  return Math.max(Math.min(retryAfterMs, MOST_RETRY_AFTER_MS), grown * (0.75 + random / 2));
}
