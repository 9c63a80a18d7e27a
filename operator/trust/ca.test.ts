/** The rotation of the CA over years, by a clock of the test's own: what everybody trusts, and who signs. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Authority,
  bundleOf,
  CA_LIFETIME_MS,
  type CaState,
  DAY_MS,
  dueStep,
  OVERLAP_MS,
  PREPARE_BEFORE_MS,
  takeStep,
} from './ca.ts';

const START = Date.parse('2026-11-22T00:00:00Z');
const SEED = 20_261_122;

/** Named for the day on which it is made. */
const made = (now: number): Authority => ({
  certificate: `[day ${(now - START) / DAY_MS}]`,
  key: `key of day ${(now - START) / DAY_MS}`,
  notAfter: now + CA_LIFETIME_MS,
});

function settle(state: CaState | undefined, now: number): CaState {
  let settled = state;
  for (let step = dueStep(settled, now); step; step = dueStep(settled, now)) {
    settled = takeStep(settled, step, made(now), now);
  }
  if (!settled) throw new Error('there is a CA after every look');
  return settled;
}

test('a year, day by day', () => {
  const days: string[] = [];
  let state: CaState | undefined;
  for (let day = 0; day <= 700; day++) {
    const before = state && `${state.signing.certificate} of ${bundleOf(state)}`;
    state = settle(state, START + day * DAY_MS);
    const now = `${state.signing.certificate} of ${bundleOf(state)}`;
    if (now !== before) days.push(`${day}: ${now}`);
  }
  expect(days).toEqual([
    '0: [day 0] of [day 0]',
    '245: [day 0] of [day 0][day 245]',
    '275: [day 245] of [day 245][day 0]',
    '305: [day 245] of [day 245]',
    '490: [day 245] of [day 245][day 490]',
    '520: [day 490] of [day 490][day 245]',
    '550: [day 490] of [day 490]',
  ]);
});

test('the key of a CA that no longer signs is gone', () => {
  const before = settle(undefined, START);
  const next = settle(before, START + CA_LIFETIME_MS - PREPARE_BEFORE_MS);
  const after = settle(next, START + CA_LIFETIME_MS - PREPARE_BEFORE_MS + OVERLAP_MS);
  expect(JSON.stringify(after)).not.toContain(before.signing.key);
});

test('one that lay still for years makes a new CA', () => {
  const state = settle(undefined, START);
  const later = START + CA_LIFETIME_MS;
  expect(dueStep(state, later - 1)).not.toBe('make');
  expect(bundleOf(settle(state, later))).toBe('[day 365]');
});

describe('an operator that looks at its CA whenever it pleases, at least every 30 days,', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 120 });

  /** An agent that renewed at `at`: it trusts what it was told then, and its certificate is good for 30 days. */
  interface Renewed {
    at: number;
    bundle: string;
    signedBy: string;
  }

  test('never signs with what an agent with a valid certificate has not heard of, nor forgets who signed that', () => {
    fc.assert(
      fc.property(gaps, (days) => {
        let now = START;
        let state = settle(undefined, now);
        let agents: Renewed[] = [];
        for (const gap of days) {
          agents.push({ at: now, bundle: bundleOf(state), signedBy: state.signing.certificate });
          now += gap * DAY_MS;
          state = settle(state, now);
          const time = now;
          agents = agents.filter(({ at }) => time < at + OVERLAP_MS);
          for (const { bundle, signedBy } of agents) {
            expect(bundle).toContain(state.signing.certificate);
            expect(bundleOf(state)).toContain(signedBy);
          }
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  test('never signs what outlives the CA', () => {
    fc.assert(
      fc.property(gaps, (days) => {
        let now = START;
        let state = settle(undefined, now);
        for (const gap of days) {
          now += gap * DAY_MS;
          state = settle(state, now);
          expect(state.signing.notAfter).toBeGreaterThan(now + OVERLAP_MS);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
