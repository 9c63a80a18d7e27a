import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRange, resolveRange } from './range.ts';

test.each([
  [undefined, undefined],
  ['bytes=0-1', { first: 0, last: 1 }],
  ['Bytes = 3 - ', { first: 3, last: undefined }],
  ['bytes=-5', { suffix: 5 }],
  ['bytes=-', undefined],
  ['bytes=2-1', undefined],
  ['bytes=0-1,3-4', undefined],
  ['bytes=a-b', undefined],
  ['bytes=0-1;x', undefined],
  ['items=0-1', undefined],
  ['bytes=9999999999999999-', undefined],
])('%s', (header, spec) => {
  expect(parseRange(header)).toEqual(spec);
});

test('a resolved range lies within the length, and only what lies beyond is unsatisfiable', () => {
  const position = fc.integer({ min: 0, max: 2_000 });
  fc.assert(
    fc.property(position, fc.option(position), fc.boolean(), position, (first, last, isSuffix, length) => {
      const text = isSuffix ? `bytes=-${first}` : `bytes=${first}-${last ?? ''}`;
      const spec = parseRange(text);
      if (spec === undefined) {
        expect(last !== null && last < first && !isSuffix).toBe(true);
        return;
      }
      const range = resolveRange(spec, length);
      if (range === 'unsatisfiable') {
        expect(isSuffix ? first === 0 || length === 0 : first >= length).toBe(true);
        return;
      }
      expect(range.first).toBeLessThanOrEqual(range.last);
      expect(range.last).toBeLessThan(length);
      // Byte by byte, what RFC 9110 14.1.2 says.
      const wanted = (at: number) =>
        isSuffix ? at >= length - first : at >= first && at <= (last ?? length);
      expect([wanted(range.first), wanted(range.last)]).toEqual([true, true]);
      expect(range.first > 0 && wanted(range.first - 1)).toBe(false);
      expect(range.last < length - 1 && wanted(range.last + 1)).toBe(false);
    }),
    { seed: 9110 },
  );
});
