import { expect, test } from 'vitest';
import { formatListenAddress, isLoopback, parseListenAddress } from './listen-address.ts';

test.each([
  ['127.0.0.1:5300', { host: '127.0.0.1', port: 5_300 }],
  ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
  ['[::1]:53', { host: '::1', port: 53 }],
  ['[2001:db8::1]:65535', { host: '2001:db8::1', port: 65_535 }],
])('%s is read, and written the same', (text, address) => {
  expect(parseListenAddress(text)).toEqual(address);
  expect(formatListenAddress(address)).toBe(text);
});

test.each([
  '',
  '127.0.0.1',
  ':53',
  'localhost:53',
  '127.0.0.1:',
  '127.0.0.1:65536',
  '127.0.0.1:-1',
  '127.0.0.256:53',
  '127.1:53',
  '::1:53',
  '[::1]',
  '[127.0.0.1:53',
  '[::g]:53',
  '127.0.0.1:53 ',
])('%j is no address to listen on', (text) => {
  expect(parseListenAddress(text)).toBeUndefined();
});

test.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['128.0.0.1', false],
  ['12.7.0.1', false],
  ['192.0.2.127', false],
])('%s is of this machine only: %s', (host, loopback) => {
  expect(isLoopback(host)).toBe(loopback);
});
