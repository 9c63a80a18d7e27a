/**
 * RFC 9111 as pure functions of (request, answer, rule, clock): may it be stored, for how long is it fresh, how old is
 * it, may it answer this request. Nothing here touches a socket, a disk or the time.
 */
import type { EdgeRule } from '../../contract/plans/edge-plan.ts';
import { field, type Headers } from '../headers.ts';
import { type Directives, NO_DIRECTIVES, parseCacheControl, seconds } from './cache-control.ts';
import { httpDate } from './http-date.ts';
import { targetedDirectives } from './targeted.ts';

export type Ttl = EdgeRule['ttl'];

/** An origin's answer as freshness sees it. Times are milliseconds since the epoch, on our clock. */
export interface OriginAnswer {
  status: number;
  headers: Headers;
  /** When the request was sent. */
  requestTime: number;
  /** When its head had come. */
  responseTime: number;
  /** Its freshness by a rule's heuristic, where it says nothing itself (RFC 9111 4.2.2). */
  heuristicMs?: number | undefined;
  /** A soft purge: it is stale from then on, whatever else says. */
  staleAt?: number | undefined;
}

/** What a request says about caching. */
export interface RequestTerms {
  directives: Directives;
  authorized: boolean;
}

export function requestTerms(headers: {
  'cache-control'?: string | undefined;
  pragma?: string | undefined;
  authorization?: string | undefined;
}): RequestTerms {
  const control = headers['cache-control'];
  // Pragma counts only where there is no Cache-Control (RFC 9111 5.4).
  const legacy = control === undefined && /(^|,)\s*no-cache\s*(,|$)/i.test(headers.pragma ?? '');
  return {
    directives: parseCacheControl(legacy ? 'no-cache' : control),
    authorized: headers.authorization !== undefined,
  };
}

/** Statuses that are cacheable by default (RFC 9110 15.1), but for 206, which is never stored. */
const CACHEABLE_BY_DEFAULT = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);
/** Statuses whose requirements this cache knows (must-understand, RFC 9111 5.2.2.3). */
const UNDERSTOOD = new Set([...CACHEABLE_BY_DEFAULT, 302, 303, 307, 400, 401, 403, 500, 502, 503, 504]);

/** The directives that count: those that are meant for a CDN where there are any, else Cache-Control. */
export function answerDirectives(headers: Headers): { directives: Directives; targeted: boolean } {
  const targeted = targetedDirectives(headers);
  if (targeted !== undefined) return { directives: targeted, targeted: true };
  return { directives: parseCacheControl(field(headers, 'cache-control')), targeted: false };
}

/** Why an answer may not be stored, as a word for Cache-Status, or nothing when it may (RFC 9111 3). */
export function whyNotStored(request: RequestTerms, answer: OriginAnswer, ttl: Ttl): string | undefined {
  const { status, headers } = answer;
  const { directives } = answerDirectives(headers);
  if (status < 200 || status === 206 || status === 304) return 'status';
  // `Vary: *` fits no other request (RFC 9111 4.1).
  if (field(headers, 'vary')?.includes('*')) return 'vary';
  if (request.directives.has('no-store')) return 'request-no-store';
  const ruled = ttl?.statuses.includes(status) ?? false;
  if (ruled && ttl?.force) return undefined;
  const understand = directives.has('must-understand');
  if (understand && !UNDERSTOOD.has(status)) return 'must-understand';
  if (directives.has('no-store') && !understand) return 'no-store';
  // `private="field"` would let the rest be stored; keeping none of it is the safe reading (RFC 9111 5.2.2.7).
  if (directives.has('private')) return 'private';
  if (headers.some(([name]) => name === 'set-cookie' || name === 'set-cookie2')) return 'set-cookie';
  // RFC 9111 3.5.
  const forAll = ['public', 's-maxage', 'must-revalidate'].some((name) => directives.has(name));
  if (request.authorized && !forAll) return 'authorization';
  if (ruled) return undefined;
  if (freshForMs(answer, ttl) > 0) return undefined;
  // Stale from the start, but worth keeping where the origin can confirm it.
  const confirmable = field(headers, 'etag') !== undefined || field(headers, 'last-modified') !== undefined;
  return confirmable && CACHEABLE_BY_DEFAULT.has(status) ? undefined : 'no-freshness';
}

function hasExplicitFreshness(headers: Headers): boolean {
  const { directives, targeted } = answerDirectives(headers);
  if (directives.has('s-maxage') || directives.has('max-age')) return true;
  return !targeted && field(headers, 'expires') !== undefined;
}

/**
 * Heuristic freshness (RFC 9111 4.2.2): a tenth of the time since the content was last changed, at most `limit` seconds.
 * Only where the origin said nothing explicit, and the status or `public` allows it.
 */
export function heuristicMs(answer: OriginAnswer, limit: number | undefined): number | undefined {
  const { status, headers, responseTime } = answer;
  const modified = httpDate(field(headers, 'last-modified'), responseTime);
  if (limit === undefined || modified === undefined || hasExplicitFreshness(headers)) return undefined;
  const allowed = CACHEABLE_BY_DEFAULT.has(status) || answerDirectives(headers).directives.has('public');
  if (!allowed) return undefined;
  const age = dateOf(answer) - modified;
  return Math.min(limit * 1_000, Math.max(0, Math.floor(age / 10)));
}

/** Freshness lifetime (RFC 9111 4.2.1): 0 where the origin gives none and no rule has a heuristic for it. */
export function freshForMs(answer: OriginAnswer, ttl: Ttl): number {
  if (ttl?.statuses.includes(answer.status)) return ttl.seconds * 1_000;
  const { headers, responseTime } = answer;
  const { directives, targeted } = answerDirectives(headers);
  // no-cache, with or without field names, asks for validation before each use (RFC 9111 5.2.2.4).
  if (directives.has('no-cache')) return 0;
  const shared = seconds(directives, 's-maxage') ?? seconds(directives, 'max-age');
  if (shared !== undefined) return shared * 1_000;
  const expires = targeted ? undefined : field(headers, 'expires');
  if (expires === undefined) return answer.heuristicMs ?? 0;
  // An Expires that is no date has passed already (RFC 9111 5.3).
  const until = httpDate(expires, responseTime);
  return until === undefined ? 0 : Math.max(0, until - dateOf(answer));
}

/** When its origin made it; where it does not say so properly, when it came (RFC 9110 6.6.1). */
export function dateOf({ headers, responseTime }: Pick<OriginAnswer, 'headers' | 'responseTime'>): number {
  return httpDate(field(headers, 'date'), responseTime) ?? responseTime;
}

/** The Age field; of several members the first counts, and one that is no number is 0 (RFC 9111 5.1). */
export function toldAgeSeconds(headers: Headers): number {
  const [first = ''] = (field(headers, 'age') ?? '').split(',');
  return /^\s*\d+\s*$/.test(first) ? Math.min(Number(first), 2 ** 31) : 0;
}

/** Age of an answer at `now` (RFC 9111 4.2.3). */
export function ageMs(answer: OriginAnswer, now: number): number {
  const { headers, requestTime, responseTime } = answer;
  const apparent = Math.max(0, responseTime - dateOf(answer));
  const corrected = toldAgeSeconds(headers) * 1_000 + Math.max(0, responseTime - requestTime);
  return Math.max(apparent, corrected) + Math.max(0, now - responseTime);
}

/**
 * How much longer it is fresh; below or at 0 it is stale. A rule's ttl runs from the moment the answer came: it
 * replaces the origin's idea of freshness, and so what the origin says about age.
 */
export function freshLeftMs(answer: OriginAnswer, ttl: Ttl, now: number): number {
  const ruled = ttl?.statuses.includes(answer.status) ?? false;
  const age = ruled ? Math.max(0, now - answer.responseTime) : ageMs(answer, now);
  const left = freshForMs(answer, ttl) - age;
  return answer.staleAt === undefined ? left : Math.min(left, answer.staleAt - now);
}

/**
 * May a stored answer be used for this request without asking the origin (RFC 9111 4)? `max-stale` is not honoured: a
 * client does not get to decide that a shared cache serves what the origin called stale. A request's Authorization
 * does not matter here: what was stored was storable for all (3.5 is checked when it is stored), and the rest is the
 * next check's business.
 */
export function isUsable(request: RequestTerms, answer: OriginAnswer, ttl: Ttl, now: number): boolean {
  const { directives } = request;
  const left = freshLeftMs(answer, ttl, now);
  if (left <= 0) return false;
  if (directives === NO_DIRECTIVES) return true;
  if (directives.has('no-cache')) return false;
  const maxAge = seconds(directives, 'max-age');
  if (maxAge !== undefined && ageMs(answer, now) > maxAge * 1_000) return false;
  return left >= (seconds(directives, 'min-fresh') ?? 0) * 1_000;
}
