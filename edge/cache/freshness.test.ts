import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Headers } from '../headers.ts';
import {
  ageMs,
  freshForMs,
  freshLeftMs,
  isUsable,
  type OriginAnswer,
  requestTerms,
  whyNotStored,
} from './freshness.ts';
import { httpDate } from './http-date.ts';

const NOW = Date.parse('Sun, 22 Nov 2026 12:00:00 GMT');
const at = (offset: number) => new Date(NOW + offset * 1_000).toUTCString();
const answer = (headers: Record<string, string>, status = 200): OriginAnswer => ({
  status,
  headers: Object.entries(headers) as Headers,
  requestTime: NOW,
  responseTime: NOW,
});
const plain = requestTerms({});
const ttl = (seconds: number, force = false) => ({ seconds, statuses: [200, 404], force });

describe('lifetime (RFC 9111 4.2.1), in seconds:', () => {
  test.each([
    [{ 'cache-control': 'max-age=60' }, 60],
    [{ 'cache-control': 'max-age=60, s-maxage=10' }, 10],
    [{ 'cache-control': 'MAX-AGE="60"' }, 60],
    [{ 'cache-control': 'max-age=60, max-age=5' }, 5],
    [{ 'cache-control': 'max-age=-1' }, 0],
    [{ 'cache-control': 'max-age=1.5' }, 0],
    [{ 'cache-control': 'max-age=abc', expires: at(60) }, 0],
    [{ 'cache-control': 'max-age=99999999999999999999' }, 2 ** 31],
    [{ 'cache-control': 'no-cache, max-age=60' }, 0],
    [{ 'cache-control': 'no-cache="set-cookie", max-age=60' }, 0],
    [{ 'cache-control': 'x="max-age=60"' }, 0],
    [{ 'cache-control': 'public' }, 0],
    [{ expires: at(60), date: at(0) }, 60],
    [{ expires: at(60), date: at(30) }, 30],
    [{ expires: at(60) }, 60],
    [{ expires: '0' }, 0],
    [{ expires: at(60), 'cache-control': 'max-age=5' }, 5],
    [{ 'last-modified': at(-1_000_000) }, 0],
    [{ 'cdn-cache-control': 'max-age=7', 'cache-control': 'max-age=60' }, 7],
    [{ 'cdn-cache-control': 'max-age="7"', 'cache-control': 'max-age=60' }, 60],
    [{ 'cdn-cache-control': 'max-age=', 'cache-control': 'max-age=60' }, 60],
    [{ 'cdn-cache-control': 'public', expires: at(60) }, 0],
    [{ 'cdn-cache-control': 'x="a, b";c=1, max-age=7;y' }, 7],
    [{ 'cdn-cache-control': 'max-age=9, max-age=7' }, 7],
    [{ 'cdn-cache-control': 'max-age=99999999999' }, 2 ** 31],
    [{ 'cdn-cache-control': 'max-age=7, &&&', 'cache-control': 'max-age=60' }, 60],
    [{ 'cdn-cache-control': 'max-age=7,', 'cache-control': 'max-age=60' }, 60],
    [{ 'cdn-cache-control': 'MAX-AGE=7', 'cache-control': 'max-age=60' }, 60],
    [{ 'cdn-cache-control': 'max-age =7', 'cache-control': 'max-age=60' }, 60],
    [{ 'cdn-cache-control': ' ', 'cache-control': 'max-age=60' }, 60],
    [{ 'surrogate-control': 'max-age=7', 'cache-control': 'max-age=60' }, 7],
    [{ 'surrogate-control': 'max-age=7+5, content="ESI/1.0"', expires: '0' }, 7],
    [{ 'surrogate-control': 'max-age=7;other', 'cache-control': 'max-age=60' }, 60],
    [{ 'surrogate-control': 'content="ESI/1.0"', 'cache-control': 'max-age=60' }, 60],
    [{ 'surrogate-control': 'max-age=7', 'cdn-cache-control': 'max-age=8' }, 8],
    [{ 'cache-control': 'max-age =60' }, 0],
    [{ 'cache-control': 'max-age= 60' }, 0],
    [{ 'cache-control': 'x="y, max-age=60' }, 0],
    [{ 'cache-control': 'max-age="6\\0"' }, 60],
    [{ 'cache-control': ',, ,max-age=60 ,' }, 60],
    [{ expires: 'Monday, 23-Nov-26 12:00:00 GMT' }, 86_400],
  ])('%o: %d', (headers: Record<string, string>, seconds) => {
    expect(freshForMs(answer(headers), undefined)).toBe(seconds * 1_000);
  });

  test('a rule’s ttl replaces it, for its statuses, and runs from when the answer came', () => {
    const old = answer({ 'cache-control': 'max-age=1', age: '5000' });
    expect(freshLeftMs(old, ttl(60), NOW + 10_000)).toBe(50_000);
    expect(freshLeftMs({ ...old, status: 500 }, ttl(60), NOW)).toBeLessThan(0);
  });
});

describe('age (RFC 9111 4.2.3), in seconds:', () => {
  test.each([
    [{}, 0, 0],
    [{ age: '10' }, 0, 10],
    [{ age: '10' }, 5, 15],
    [{ date: at(-30) }, 5, 35],
    [{ date: at(-30), age: '10' }, 0, 30],
    [{ date: at(300) }, 5, 5],
    [{ age: 'abc' }, 5, 5],
    [{ age: '7, 9' }, 0, 7],
  ])('%o after %d: %d', (headers: Record<string, string>, later, seconds) => {
    expect(ageMs(answer(headers), NOW + later * 1_000)).toBe(seconds * 1_000);
  });

  test('the time that the answer took counts', () => {
    const slow = { ...answer({ age: '10' }), requestTime: NOW - 4_000 };
    expect(ageMs(slow, NOW)).toBe(14_000);
  });
});

describe('may it be stored (RFC 9111 3)?', () => {
  const authorized = requestTerms({ authorization: 'x' });
  test.each([
    [plain, answer({ 'cache-control': 'max-age=60' }), undefined, undefined],
    [plain, answer({ 'cache-control': 'max-age=60' }, 206), undefined, 'status'],
    [plain, answer({ 'cache-control': 'max-age=60' }, 302), undefined, undefined],
    [plain, answer({ etag: '"a"' }), undefined, undefined],
    [plain, answer({ etag: '"a"' }, 302), undefined, 'no-freshness'],
    [plain, answer({ 'cache-control': 'max-age=0' }), undefined, 'no-freshness'],
    [plain, answer({ 'cache-control': 'no-cache', etag: '"a"' }), undefined, undefined],
    [plain, answer({ 'cache-control': 'max-age=60, private="x"' }), undefined, 'private'],
    [plain, answer({ 'cache-control': 'max-age=60', vary: 'a, *' }), undefined, 'vary'],
    [plain, answer({ 'cache-control': 'max-age=60, no-store, must-understand' }), undefined, undefined],
    [plain, answer({ 'cache-control': 'max-age=60, must-understand' }, 299), undefined, 'must-understand'],
    [plain, answer({ 'cdn-cache-control': 'max-age=60', 'cache-control': 'no-store' }), undefined, undefined],
    [
      plain,
      answer({ 'cdn-cache-control': 'no-store', 'cache-control': 'max-age=60' }),
      undefined,
      'no-store',
    ],
    [
      requestTerms({ 'cache-control': 'no-store' }),
      answer({ 'cache-control': 'max-age=60' }),
      undefined,
      'request-no-store',
    ],
    [plain, answer({ 'cache-control': 'max-age=60 no-store' }), undefined, 'no-store'],
    [plain, answer({ 'cache-control': 'no-store;x, max-age=60' }), undefined, 'no-store'],
    [plain, answer({ 'cache-control': 'x="no-store", max-age=60' }), undefined, undefined],
    [
      plain,
      answer({ 'surrogate-control': 'no-store', 'cache-control': 'max-age=60' }),
      undefined,
      'no-store',
    ],
    [plain, answer({ 'surrogate-control': 'max-age=60', 'cache-control': 'no-store' }), undefined, undefined],
    [plain, answer({ 'cache-control': 'max-age=60', 'set-cookie2': 'a' }), undefined, 'set-cookie'],
    [authorized, answer({ 'cache-control': 'max-age=60' }), undefined, 'authorization'],
    [authorized, answer({ 'cache-control': 's-maxage=60' }), undefined, undefined],
    [authorized, answer({ 'cache-control': 'max-age=60, must-revalidate' }), undefined, undefined],
    [plain, answer({}), ttl(60), undefined],
    [plain, answer({ 'cache-control': 'no-store' }), ttl(60), 'no-store'],
    [plain, answer({ 'cache-control': 'no-store' }), ttl(60, true), undefined],
    [plain, answer({}, 500), ttl(60, true), 'no-freshness'],
  ])('%#: %o %o %o -> %s', (request, given, rule, why) => {
    expect(whyNotStored(request, given, rule)).toBe(why);
  });
});

test.each([
  ['Sun, 06 Nov 1994 08:49:37 GMT', 784111777],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 784111777],
  ['Sun Nov  6 08:49:37 1994', 784111777],
  ['0', undefined],
  ['2026-11-22', undefined],
  ['Sun, 99 Nov 1994 08:49:37 GMT', undefined],
  ['Sun, 31 Jun 1994 08:49:37 GMT', undefined],
  ['Sun, 06 Nov 1994 8:49:37 GMT', undefined],
  ['Sun, 06 Nov 94 08:49:37 GMT', undefined],
  ['Sun, 06 Nov 1994 08:49:37 CET', undefined],
  ['SUN, 06 nov 1994 08:49:37 gMT', 784111777],
  ['Sun 06 Nov 1994 08:49:37 GMT', undefined],
  ['Sun, 06 Nov 1994 08:49:37 UTC', undefined],
  ['Sunday, 06-Nov-76 08:49:37 GMT', Date.UTC(2076, 10, 6, 8, 49, 37) / 1_000],
  ['Sunday, 06-Nov-77 08:49:37 GMT', Date.UTC(1977, 10, 6, 8, 49, 37) / 1_000],
])('date %s', (text, seconds) => {
  expect(httpDate(text, NOW)).toBe(seconds === undefined ? undefined : seconds * 1_000);
});

/** Printed by fast-check with the counterexample; a fixed one, so that a failure is a failure tomorrow. */
const SEED = { seed: 9111 };
const amount = fc.integer({ min: 0, max: 10_000 });
const givenHeaders = fc.record(
  { 'max-age': amount, 's-maxage': amount, age: amount, date: fc.integer({ min: -5_000, max: 5_000 }) },
  { requiredKeys: [] },
);

function generated(given: {
  'max-age'?: number;
  's-maxage'?: number;
  age?: number;
  date?: number;
}): OriginAnswer {
  const control = (['max-age', 's-maxage'] as const)
    .filter((name) => given[name] !== undefined)
    .map((name) => `${name}=${given[name]}`);
  return answer({
    'cache-control': control.join(', '),
    ...(given.age !== undefined && { age: String(given.age) }),
    ...(given.date !== undefined && { date: at(given.date) }),
  });
}

describe('always:', () => {
  test('age grows with the clock, second for second, and is never below what the origin said', () => {
    fc.assert(
      fc.property(givenHeaders, amount, (given, later) => {
        const one = generated(given);
        expect(ageMs(one, NOW + later * 1_000)).toBe(ageMs(one, NOW) + later * 1_000);
        expect(ageMs(one, NOW)).toBeGreaterThanOrEqual((given.age ?? 0) * 1_000);
      }),
      SEED,
    );
  });

  test('what is stale stays stale, and no directive of a request makes it fresh', () => {
    const directive = fc.constantFrom(
      'max-stale',
      'max-stale=99999',
      'max-age=99999',
      'min-fresh=0',
      'no-transform',
    );
    fc.assert(
      fc.property(givenHeaders, amount, fc.array(directive), (given, later, asked) => {
        const one = generated(given);
        const terms = requestTerms({ 'cache-control': asked.join(', ') });
        if (isUsable(plain, one, undefined, NOW + later * 1_000)) return;
        expect(isUsable(terms, one, undefined, NOW + later * 1_000)).toBe(false);
        expect(isUsable(plain, one, undefined, NOW + later * 1_000 + 1)).toBe(false);
      }),
      SEED,
    );
  });

  test('nothing throws, whatever the fields hold', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (control, targeted, date) => {
        const one = answer({
          'cache-control': control,
          'cdn-cache-control': targeted,
          date,
          expires: date,
          age: date,
        });
        whyNotStored(requestTerms({ 'cache-control': control }), one, undefined);
        expect(freshForMs(one, undefined)).toBeGreaterThanOrEqual(0);
        expect(ageMs(one, NOW)).toBeGreaterThanOrEqual(0);
      }),
      SEED,
    );
  });
});
