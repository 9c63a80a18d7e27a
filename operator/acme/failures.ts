/** What an order failed by, and what becomes of it: the reason for people, and at which pace it is tried again. Pure. */

import { AcmeProblem } from './client.ts';
import type { Pace, Paces } from './renewal.ts';

/** Somebody has to mend something before the server is asked. */
export class Obstacle extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface Failure {
  pace: Pace;
  reason: string;
  /** The server's own word. */
  retryAfterMs: number | undefined;
  /** The order can't lead anywhere any more. */
  isOver: boolean;
}

export function classify(error: unknown, { preparation, line, refusal }: Paces): Failure {
  const again = { retryAfterMs: 0, isOver: false };
  if (error instanceof Obstacle) return { pace: preparation, reason: error.reason, ...again };
  if (!(error instanceof AcmeProblem)) return { pace: line, reason: 'ServerUnreachable', ...again };
  const { status, type, retryAfterMs } = error;
  if (type === 'rateLimited' || status === 429)
    return { pace: line, reason: 'RateLimited', retryAfterMs, isOver: false };
  if (status >= 500) return { pace: line, reason: 'ServerFailed', retryAfterMs, isOver: false };
  return { pace: refusal, reason: reasonOf(type), retryAfterMs, isOver: true };
}

/** `unauthorized` as conditions have it. */
const reasonOf = (type: string) =>
  /^[a-zA-Z]+$/.test(type) ? `${type[0]?.toUpperCase()}${type.slice(1)}` : 'ServerRefused';
