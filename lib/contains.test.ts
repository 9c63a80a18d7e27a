import { expect, test } from 'vitest';
import { contains } from './contains.ts';

const whole = { name: 'a', list: [{ type: 'x', on: true }, { type: 'y' }], none: null };

test.each([
  [{}, true],
  [{ name: 'a' }, true],
  [{ name: 'b' }, false],
  [{ other: undefined }, true],
  [{ list: [{ type: 'y' }] }, true],
  [{ list: [{ type: 'x', on: false }] }, false],
  [{ list: { type: 'x' } }, false],
  [{ none: null }, true],
  [{ none: {} }, false],
  [['a'], false],
])('%j', (part, answer) => {
  expect(contains(whole, part)).toBe(answer);
});
