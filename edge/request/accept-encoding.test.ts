import { expect, test } from 'vitest';
import { accepts, normalAcceptEncoding } from './accept-encoding.ts';

test.each([
  [undefined, 'gzip', false],
  [undefined, 'identity', true],
  ['gzip', 'gzip', true],
  ['GZIP;Q=0.5', 'gzip', true],
  ['x-gzip', 'gzip', true],
  ['gzip;q=0', 'gzip', false],
  ['gzip;q=0.0', 'gzip', false],
  ['br', 'gzip', false],
  ['*', 'gzip', true],
  ['*;q=0', 'gzip', false],
  ['gzip, *;q=0', 'identity', false],
  ['identity;q=0', 'identity', false],
  ['', 'identity', true],
])('%s takes %s: %s', (header, coding, taken) => {
  expect(accepts(header, coding)).toBe(taken);
});

test('origins are asked for one of two', () => {
  expect(normalAcceptEncoding('br, gzip;q=0.1')).toBe('gzip');
  expect(normalAcceptEncoding('br')).toBe('identity');
  expect(normalAcceptEncoding(undefined)).toBe('identity');
});
