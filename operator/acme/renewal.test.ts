/** When a certificate is renewed, and when what failed is tried again. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Pair } from '../certificates/pair.ts';
import { retryAfter } from './client.ts';
import { PACES, renewalTime, retryInMs, soonestRenewalMs } from './renewal.ts';

const SEED = 20_261_122;
const DAY = 86_400_000;
const pair = (serialNumber: string, days = 90): Pair => ({
  value: '',
  digest: '',
  dnsNames: [],
  notBefore: 0,
  notAfter: days * DAY,
  serialNumber,
  keyType: 'ECDSA',
});

test('between two thirds of its life and a twentieth later, the same for the same certificate', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 400 }), (serial, days) => {
      const at = renewalTime(pair(serial, days));
      expect(at).toBeGreaterThanOrEqual((days * DAY * 2) / 3);
      expect(at).toBeLessThanOrEqual(days * DAY * (2 / 3 + 1 / 20));
      expect(renewalTime(pair(serial, days))).toBe(at);
    }),
    { seed: SEED },
  );
});

test('certificates that were ordered together are not renewed together', () => {
  const times = new Set(Array.from({ length: 100 }, (_, index) => renewalTime(pair(`0${index}`))));
  expect(times.size).toBeGreaterThan(95);
});

test('within the window that the server suggests, also where that has passed: a revocation', () => {
  const window = { start: 5 * DAY, end: 6 * DAY };
  const at = renewalTime(pair('01'), window);
  expect([at >= window.start, at <= window.end]).toEqual([true, true]);
  expect(renewalTime(pair('01'), { start: 2, end: 1 })).toBe(renewalTime(pair('01')));
  expect(renewalTime(pair('01'), { start: Number.NaN, end: Number.NaN })).toBe(renewalTime(pair('01')));
});

test('never so late that it could run out, whatever window the server suggests', () => {
  const year9999 = Date.parse('9999-01-01T00:00:00Z');
  for (const start of [0, 80 * DAY, 90 * DAY, year9999 - DAY])
    expect(renewalTime(pair('01'), { start, end: year9999 })).toBe(81 * DAY);
});

test('not at once after one was issued, and in time all the same for one of five minutes', () => {
  expect(soonestRenewalMs(pair('01'))).toBe(3_600_000);
  expect(soonestRenewalMs(pair('01', 5 / 1_440))).toBe(100_000);
});

test('what fails is tried ever later, up to a bound, and never before the server allows', () => {
  const { line } = PACES;
  const at = (failures: number) => retryInMs(line, failures, 0.5);
  expect([at(0), at(1), at(2)]).toEqual([10_000, 20_000, 40_000]);
  expect(at(1_000)).toBe(line.capMs);
  expect(retryInMs(line, 0, 0, 7_200_000)).toBe(7_200_000);
  expect(retryInMs(line, 0, 0, 365 * DAY)).toBe(7 * DAY);
  expect(retryInMs(line, 0, 0)).toBeLessThan(retryInMs(line, 0, 0.99));
});

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-11-22T04:00:00Z');
  expect(retryAfter('120', now)).toBe(120_000);
  expect(retryAfter('Sun, 22 Nov 2026 04:01:00 GMT', now)).toBe(60_000);
  expect(retryAfter('Sun, 22 Nov 2026 03:00:00 GMT', now)).toBe(0);
  expect([retryAfter('soon', now), retryAfter(undefined, now)]).toEqual([undefined, undefined]);
});
