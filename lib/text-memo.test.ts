import { beforeEach, expect, test } from 'vitest';
import { textMemo } from './text-memo.ts';

let read: string[];
let lengthOf: (text: string) => number | undefined;

beforeEach(() => {
  read = [];
  lengthOf = textMemo((text) => {
    if (text === 'bad') throw new Error('bad');
    read.push(text);
    return text === 'none' ? undefined : text.length;
  });
});

test('each text is read once, one that means nothing as well', () => {
  for (const text of ['one', 'none', 'one', 'none']) lengthOf(text);
  expect([lengthOf('one'), lengthOf('none')]).toEqual([3, undefined]);
  expect(read).toEqual(['one', 'none']);
});

test('what throws, throws again', () => {
  for (let time = 0; time < 2; time++) expect(() => lengthOf('bad')).toThrow('bad');
});

test('long texts are not kept, and of many all are forgotten', () => {
  const long = 'x'.repeat(257);
  for (const text of [long, long]) expect(lengthOf(text)).toBe(257);
  expect(read).toHaveLength(2);
  for (let at = 0; at < 1_000; at++) lengthOf(`text ${at}`);
  lengthOf('text 0');
  expect(read).toHaveLength(1_002);
  lengthOf('another');
  lengthOf('text 0');
  expect(read).toHaveLength(1_004);
});
