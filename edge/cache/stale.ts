/**
 * When something stale may be used all the same (RFC 5861, RFC 9111 4.2.4): while one fetch asks the origin, or instead
 * of its failure. Pure.
 */
import type { EdgeRule } from '../../contract/plans/edge-plan.ts';
import { seconds } from './cache-control.ts';
import { answerDirectives, freshLeftMs, type OriginAnswer, type RequestTerms } from './freshness.ts';

export type StaleRule = Pick<EdgeRule, 'ttl' | 'staleWhileRevalidate' | 'staleIfError'>;

/** While it is being revalidated. Who asks for something fresher than a cache would give does not get something stale. */
export function mayUseWhileRevalidating(
  { directives, authorized }: RequestTerms,
  answer: OriginAnswer,
  rule: StaleRule,
  now: number,
): boolean {
  const picky = ['no-cache', 'no-store', 'max-age', 'min-fresh'].some((name) => directives.has(name));
  // A request with Authorization could not lead the fetch that others join.
  if (picky || authorized) return false;
  return isWithin(answer, rule, rule.staleWhileRevalidate ?? told(answer, 'stale-while-revalidate'), now);
}

/** Instead of an error. `no-cache` wants the origin's word or none (RFC 9111 5.2.1.4). */
export function mayUseOnError(
  { directives }: RequestTerms,
  answer: OriginAnswer,
  rule: StaleRule,
  now: number,
): boolean {
  if (directives.has('no-cache')) return false;
  return isWithin(answer, rule, rule.staleIfError ?? told(answer, 'stale-if-error'), now);
}

/** What counts as the origin's failure, where it answers at all (RFC 5861 4). */
export const FAILURES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

function told({ headers }: OriginAnswer, directive: string): number {
  return seconds(answerDirectives(headers).directives, directive) ?? 0;
}

function isWithin(answer: OriginAnswer, { ttl }: StaleRule, window: number, now: number): boolean {
  if (window === 0 || (ttl?.force !== true && forbidsStale(answer))) return false;
  return -freshLeftMs(answer, ttl, now) <= window * 1_000;
}

/**
 * RFC 9111 5.2.2.2, 5.2.2.4, 5.2.2.8. `s-maxage` forbids too (5.2.2.10), but an origin that sends it together with a
 * window for shared caches means the window, and without one nothing stale is used here.
 */
function forbidsStale({ headers }: OriginAnswer): boolean {
  const { directives } = answerDirectives(headers);
  return ['must-revalidate', 'proxy-revalidate', 'no-cache'].some((name) => directives.has(name));
}
