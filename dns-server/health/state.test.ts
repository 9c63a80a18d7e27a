import { describe, expect, test } from 'vitest';
import { type AddressHealth, firstRound, observe, turnMs, UNKNOWN } from './state.ts';

const THRESHOLDS = { failureThreshold: 3, successThreshold: 2 };

/** The states after each of these results: `+` a success, `-` a failure; `U` up, `D` down, small while unknown. */
function walk(results: string): string {
  let state: AddressHealth = UNKNOWN;
  return results
    .split('')
    .map((result) => {
      state = observe(state, { ok: result === '+', detail: result }, THRESHOLDS);
      const letter = state.healthy ? 'u' : 'd';
      return state.known ? letter.toUpperCase() : letter;
    })
    .join('');
}

describe('an address', () => {
  test.each([
    ['++', 'UU', 'is known from its first success'],
    ['---', 'uuD', 'is up until enough failures in a row'],
    ['--++--', 'uuUUUU', 'starts to count anew after enough successes in a row'],
    ['+-+-+-', 'UUUUUD', 'goes down when it fails every other probe'],
    ['+---++', 'UUUDDU', 'comes back after enough successes in a row'],
    ['---+-+-+', 'uuDDDDDD', 'stays down while it flaps'],
  ])('%s gives %s: %s', (results, states) => {
    expect(walk(results)).toBe(states);
  });

  test.each([
    ['+', 30],
    ['+-', 20],
    ['+--', 10],
    ['+--+', 10],
    ['+--++', 30],
    ['+---', 20],
    ['+---+', 10],
    ['+---+-', 20],
  ])('after %s can turn in %i s', (results, seconds) => {
    const state = results.split('').reduce((before, result) => {
      return observe(before, { ok: result === '+', detail: '' }, THRESHOLDS);
    }, UNKNOWN);
    expect(turnMs(state, { ...THRESHOLDS, intervalMs: 10_000 })).toBe(seconds * 1_000);
  });

  test('believes an address at once that says itself that it leaves, and takes it back by a run of successes', () => {
    const left = observe(UNKNOWN, { ok: false, leaves: true, detail: 'it leaves' }, THRESHOLDS);
    expect(left).toMatchObject({ healthy: false, detail: 'it leaves' });
    const ok = { ok: true, detail: 'HTTP 200' };
    expect(observe(left, ok, THRESHOLDS).healthy).toBe(false);
    expect([ok, ok, ok].reduce((state, seen) => observe(state, seen, THRESHOLDS), left).healthy).toBe(true);
  });

  test('keeps what the last probe met', () => {
    expect(observe(UNKNOWN, { ok: false, detail: 'ECONNREFUSED' }, THRESHOLDS).detail).toBe('ECONNREFUSED');
  });
});

describe('the first round', () => {
  const round = (results: Record<string, boolean>) => {
    const entries = Object.entries(results).map(
      ([key, ok]): [
        string,
        Parameters<typeof firstRound>[0] extends ReadonlyMap<string, infer Look> ? Look : never,
      ] => [key, { observation: { ok, detail: '' }, thresholds: THRESHOLDS }],
    );
    return [...firstRound(new Map(entries))].map(([key, { healthy, known }]) => `${key} ${healthy} ${known}`);
  };

  test('decides at once', () => {
    expect(round({ a: true, b: false })).toEqual(['a true true', 'b false true']);
  });

  test('counts nobody out when nothing was reached', () => {
    expect(round({ a: false, b: false })).toEqual(['a true false', 'b true false']);
  });
});
