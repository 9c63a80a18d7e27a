import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { hostname, httpUrl, ipAddress, withRules } from './scalars.ts';

describe('host names', () => {
  const label = 'a'.repeat(63);
  test.each([
    ['video.example.com', true],
    ['xn--fiq228c.example.com', true],
    ['1.example.com', true],
    [`${label}.example.com`, true],
    [`${label}a.example.com`, false],
    [`${label}.${label}.${label}.${'a'.repeat(61)}`, true],
    [`${label}.${label}.${label}.${'a'.repeat(62)}`, false],
    ['example', false],
    ['-a.example.com', false],
    ['a-.example.com', false],
    ['a..example.com', false],
    ['a_b.example.com', false],
    ['*.example.com', false],
    ['A.example.com', false],
    ['example.com.', false],
    ['example.com\n', false],
  ])('%s: %s', (name, valid) => {
    expect(hostname.safeParse(name).success).toBe(valid);
  });
});

describe('URLs', () => {
  test.each([
    ['https://a.example.com', true],
    ['http://a.example.com:8080/x?y=z#w', true],
    ['http://[2001:db8::1]:80/', true],
    ['https://a.example.com/@scope/x', true],
    ['https://a.example.com?u=https://b@c', true],
    ['https://a.example.com/视频', true],
    ['HTTPS://a.example.com', false],
    ['//a.example.com/x', false],
    ['https:/a.example.com', false],
    ['https://', false],
    ['https:///x/y/z', false],
    ['https://me@a.example.com', false],
    ['https://a.example.com:x/', false],
    ['https://a.example.com:65536/', false],
    ['https://a.example.com\\@b.example.com', false],
    ['https://a.example.com/\t', false],
    [' https://a.example.com', false],
    ['https://a.example.com/%zz', false],
    [`https://a.example.com/${'a'.repeat(2_048)}`, false],
  ])('%j: %s', (url, valid) => {
    expect(httpUrl.safeParse(url).success).toBe(valid);
  });
});

describe('addresses', () => {
  test.each([
    ['192.0.2.1', true],
    ['::1', true],
    ['2001:DB8::1', true],
    ['192.0.2.01', false],
    ['192.0.2', false],
    ['::ffff:192.0.2.1', false],
    ['::ffff:c000:201', false],
    ['fe80::1%eth0', false],
    ['[::1]', false],
  ])('%s: %s', (address, valid) => {
    expect(ipAddress.safeParse(address).success).toBe(valid);
  });
});

test('rules add to those that a schema has, for zod and for the CRD', () => {
  const even = withRules(z.int(), [{ holds: (n) => n % 2 === 0, cel: 'self % 2 == 0', message: 'even' }]);
  const small = withRules(even, [{ holds: (n) => n < 10, cel: 'self < 10', message: 'small' }]).describe('x');
  expect(small.meta()).toMatchObject({
    'x-kubernetes-validations': [
      { rule: 'self % 2 == 0', message: 'even' },
      { rule: 'self < 10', message: 'small' },
    ],
  });
  expect(small.safeParse(11).error?.issues.map(({ message }) => message)).toEqual(['even', 'small']);
  expect(small.parse(8)).toBe(8);
});
