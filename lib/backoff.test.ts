import { expect, test } from 'vitest';
import { backoff } from './backoff.ts';

test('the ceiling doubles up to the cap', () => {
  const wait = backoff(100, 1_000, () => 1);
  expect(Array.from({ length: 6 }, () => wait.next())).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

test('the whole range below the ceiling is random', () => {
  const draws = [0, 0.25, 0.999];
  const wait = backoff(1_000, 1_000, () => draws.shift() ?? 0);
  expect([wait.next(), wait.next(), wait.next()]).toEqual([0, 250, 999]);
});

test('a success starts it over', () => {
  const wait = backoff(100, 10_000, () => 1);
  wait.next();
  wait.next();
  wait.reset();
  expect(wait.next()).toBe(100);
});

test('it stays at the cap for ever, also after more attempts than a number can double', () => {
  const wait = backoff(100, 30_000, () => 1);
  const waits = Array.from({ length: 5_000 }, () => wait.next());
  expect(waits.at(-1)).toBe(30_000);
  expect(waits.every((ms) => Number.isFinite(ms) && ms <= 30_000)).toBe(true);
});

test('by default two agents do not wait the same', () => {
  const series = () => {
    const wait = backoff(1_000_000, 1e12);
    return Array.from({ length: 4 }, () => wait.next());
  };
  expect(series()).not.toEqual(series());
});
