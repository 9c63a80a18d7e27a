import { expect, test } from 'vitest';
import { bitsPerSecond } from './bandwidth.ts';

test.each([
  ['1Kbps', 1_000],
  ['500Mbps', 500_000_000],
  ['10Gbps', 10_000_000_000],
])('%s is %i bits a second', (text, bits) => {
  expect(bitsPerSecond(text)).toBe(bits);
});

test.each(['', '0Mbps', '10', '10GB', '1.5Gbps'])('%j is a bug', (text) => {
  expect(() => bitsPerSecond(text)).toThrow('not a bandwidth');
});
