import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalDigest, canonicalJson, sha256Hex } from './canonical-json.ts';

const SEED = 20_261_122;

describe('canonical JSON', () => {
  test.each<[unknown, string]>([
    [{ b: 1, a: [2, { d: null, c: 'x' }] }, '{"a":[2,{"c":"x","d":null}],"b":1}'],
    [{ a: undefined, b: 1 }, '{"b":1}'],
    [[undefined, 1], '[null,1]'],
    [undefined, 'null'],
    ['a"\n', '"a\\"\\n"'],
    [{ B: 1, a: 1, A: 1, 10: 1, 9: 1 }, '{"10":1,"9":1,"A":1,"B":1,"a":1}'],
  ])('%j is %s', (value, json) => {
    expect(canonicalJson(value)).toBe(json);
  });

  test('is JSON of the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { seed: SEED },
    );
  });

  test('does not depend on the order in which keys were set', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalDigest(reversed)).toBe(canonicalDigest(value));
      }),
      { seed: SEED },
    );
  });

  test('keeps the order of a list', () => {
    expect(canonicalDigest([1, 2])).not.toBe(canonicalDigest([2, 1]));
  });
});

test('digests are SHA-256 in hex (FIPS 180-4, the example "abc")', () => {
  expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
