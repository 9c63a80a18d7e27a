import { expect, test } from 'vitest';
import { parsedJson } from './parsed-json.ts';

test('gives the value, and nothing for what is no JSON', () => {
  expect([parsedJson('{"a":[1]}'), parsedJson('null'), parsedJson('<html>'), parsedJson('')]).toEqual([
    { a: [1] },
    null,
    undefined,
    undefined,
  ]);
});
