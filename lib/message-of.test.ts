import { expect, test } from 'vitest';
import { messageOf } from './message-of.ts';

test.each([
  [new TypeError('no such name'), 'no such name'],
  ['a text', 'a text'],
  [new AggregateError([]), 'AggregateError'],
  [undefined, 'undefined'],
])('%o says what is in it', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});
