import { expect, test } from 'vitest';
import { byteSize } from './byte-size.ts';

test.each([
  ['0KiB', 0],
  ['512KiB', 524_288],
  ['64MiB', 67_108_864],
  ['10GiB', 10_737_418_240],
  ['1TiB', 1_099_511_627_776],
])('%s is %d bytes', (text, bytes) => {
  expect(byteSize(text)).toBe(bytes);
});

test.each(['', '10', '10MB', '10B', '1.5GiB', '-1KiB', '01KiB', '1 KiB', '1kib', '1000000KiB'])(
  '%j is no size',
  (text) => {
    expect(() => byteSize(text)).toThrow(`not a size: ${text}`);
  },
);
