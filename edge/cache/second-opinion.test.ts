/**
 * http-cache-semantics judges the same answers, where it reads RFC 9111 as it stands. Left out of the comparison, as it
 * differs there (4.3.0):
 *
 * | what it does | what the RFC says |
 * |---|---|
 * | a request's `max-stale` makes a stale answer, and one with Set-Cookie, reusable | allowed for the first (5.2.1.2); a shared cache that lets clients decide leaks the second |
 * | `must-revalidate` and `proxy-revalidate` forbid every reuse | they forbid it once the answer is stale (5.2.2.2, 5.2.2.8) |
 * | Date does not count towards the age | apparent_age does (4.2.3) |
 * | of several `max-age` the last counts, and `60s` is 60 | conflicting or invalid is stale (4.2.1) |
 * | CDN-Cache-Control and `must-understand` are unknown | RFC 9213; 5.2.2.3 |
 * | a 206 is never stored, and 5xx only some | both may be, with explicit freshness (3, 3.3) |
 */
import fc from 'fast-check';
import CachePolicy from 'http-cache-semantics';
import { expect, test } from 'vitest';
import type { Headers } from '../headers.ts';
import { isUsable, requestTerms, whyNotStored } from './freshness.ts';

const NOW = Date.parse('Sun, 22 Nov 2026 12:00:00 GMT');

/** With the test's time in place of its own. */
class Policy extends CachePolicy {
  static time = NOW;
  now(): number {
    return Policy.time;
  }
}

const seconds = fc.integer({ min: 0, max: 500 });
/** Until it is asked for. */
const passing = fc.integer({ min: 0, max: 100 });
const date = (offset: number) => new Date(NOW + offset * 1_000).toUTCString();
const answerDirective = fc.oneof(
  fc.constantFrom('no-store', 'no-cache', 'private', 'public', 'x-other="max-age=9"'),
);
const answer = fc.record({
  status: fc.constantFrom(200, 203, 204, 300, 301, 302, 307, 308, 404, 410, 414, 501),
  directives: fc.uniqueArray(answerDirective, { maxLength: 2 }),
  maxAge: fc.option(seconds, { nil: undefined }),
  sMaxAge: fc.option(seconds, { nil: undefined }),
  expires: fc.option(seconds, { nil: undefined }),
  age: fc.option(seconds, { nil: undefined }),
});
const asked = fc.record({
  directives: fc.uniqueArray(fc.constantFrom('no-cache', 'no-store', 'no-transform'), { maxLength: 1 }),
  maxAge: fc.option(seconds, { nil: undefined }),
  minFresh: fc.option(seconds, { nil: undefined }),
});
const authorized = fc.boolean();

function named(name: string, value: number | undefined): string[] {
  return value === undefined ? [] : [`${name}=${value}`];
}

test('both let the same stored answers be used for the same requests', () => {
  let used = 0;
  fc.assert(
    fc.property(answer, authorized, asked, passing, (given, withAuthorization, request, later) => {
      const fetched = withAuthorization ? { authorization: 'Basic x' } : {};
      const control = [
        ...given.directives,
        ...named('max-age', given.maxAge),
        ...named('s-maxage', given.sMaxAge),
      ].join(', ');
      const fields: Record<string, string> = {
        date: date(0),
        ...(control !== '' && { 'cache-control': control }),
        ...(given.expires !== undefined && { expires: date(given.expires) }),
        ...(given.age !== undefined && { age: String(given.age) }),
      };
      const terms = [
        ...request.directives,
        ...named('max-age', request.maxAge),
        ...named('min-fresh', request.minFresh),
      ].join(', ');
      const asks = terms === '' ? {} : { 'cache-control': terms };

      Policy.time = NOW;
      const policy = new Policy(
        { url: '/', method: 'GET', headers: fetched },
        { status: given.status, headers: fields },
        { shared: true, cacheHeuristic: 0, immutableMinTimeToLive: 0 },
      );
      Policy.time = NOW + later * 1_000;
      const theirs =
        policy.storable() && policy.satisfiesWithoutRevalidation({ url: '/', method: 'GET', headers: asks });

      const ours = {
        status: given.status,
        headers: Object.entries(fields) as Headers,
        requestTime: NOW,
        responseTime: NOW,
      };
      const mayUse =
        whyNotStored(requestTerms(fetched), ours, undefined) === undefined &&
        isUsable(requestTerms(asks), ours, undefined, Policy.time);
      if (mayUse) used++;
      expect(mayUse).toBe(theirs);
    }),
    { seed: 9111, numRuns: 5_000 },
  );
  // Not a comparison of refusals alone.
  expect(used).toBeGreaterThan(300);
});
