import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withEntry } from './patched-map.ts';

const SEED = 7;

test(`is as a map that is copied for each entry, and no older one changes (seed ${SEED})`, () => {
  const row = fc.tuple(fc.nat(60), fc.nat());
  fc.assert(
    fc.property(fc.array(row, { maxLength: 40 }), fc.array(row, { maxLength: 120 }), (first, rows) => {
      let ours: ReadonlyMap<number, number> = new Map(first);
      let plain = new Map(first);
      for (const [key, value] of rows) {
        const [older, before] = [ours, [...ours]];
        ours = withEntry(ours, key, value);
        plain = new Map(plain).set(key, value);
        expect([...older]).toEqual(before);
        expect([...ours]).toEqual([...plain]);
      }
      expect(ours.size).toBe(plain.size);
      expect([...ours.keys()]).toEqual([...plain.keys()]);
      expect([...ours.values()]).toEqual([...plain.values()]);
      for (let key = 0; key <= 60; key++) {
        expect(ours.get(key)).toBe(plain.get(key));
        expect(ours.has(key)).toBe(plain.has(key));
      }
      const visited: [number, number][] = [];
      ours.forEach((value, key) => void visited.push([key, value]));
      expect(visited).toEqual([...plain]);
    }),
    { seed: SEED },
  );
});

test('ten thousand entries with ten thousand changes take no ten thousand copies', () => {
  let map: ReadonlyMap<number, number> = new Map(Array.from({ length: 10_000 }, (_, key) => [key, 0]));
  let copies = 0;
  let bulk: unknown;
  for (let key = 0; key < 10_000; key++) {
    map = withEntry(map, key, 1);
    const now = map instanceof Map ? map : Reflect.get(map, 'bulk');
    if (now !== bulk) copies += 1;
    bulk = now;
  }
  expect(copies).toBeLessThan(700);
});
