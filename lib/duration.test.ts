import { expect, test } from 'vitest';
import { durationMs, durationSeconds } from './duration.ts';

test.each([
  ['0s', 0],
  ['500ms', 500],
  ['30s', 30_000],
  ['10m', 600_000],
  ['12h', 43_200_000],
  ['7d', 604_800_000],
])('%s is %d ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test.each(['', '5', 's', '1.5s', '-1s', '01s', '1h30m', '1w', ' 1s', '1s\n', '1S', '1234567890s'])(
  '%j is no duration',
  (text) => {
    expect(() => durationMs(text)).toThrow(`not a duration: ${text}`);
  },
);

test.each([
  ['0ms', 0],
  ['1ms', 1],
  ['999ms', 1],
  ['1000ms', 1],
  ['1001ms', 2],
  ['1m', 60],
])('%s is %d whole seconds, rounded up', (text, seconds) => {
  expect(durationSeconds(text)).toBe(seconds);
});
