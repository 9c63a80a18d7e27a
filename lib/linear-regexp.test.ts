import { expect, test } from 'vitest';
import { isLinearRegExp, linearRegExp } from './linear-regexp.ts';

test('matches as any other', () => {
  expect(linearRegExp('^/v/[0-9]+\\.(ts|m4s)$').test('/v/12.ts')).toBe(true);
  expect(linearRegExp('^/v/[0-9]+\\.(ts|m4s)$').test('/v/x.ts')).toBe(false);
});

test('what makes the usual engine run for ages takes no time', () => {
  const begin = performance.now();
  expect(linearRegExp('(a+)+$').test(`${'a'.repeat(10_000)}b`)).toBe(false);
  expect(performance.now() - begin).toBeLessThan(5_000);
});

test.each(['(', '[z-a]', '(?=a)b', '(a)\\1'])('%s is refused', (text) => {
  expect(isLinearRegExp(text)).toBe(false);
});
