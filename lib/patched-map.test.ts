import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changedEntries, goneKeys, withEntries, withEntry } from './patched-map.ts';

const SEED = 7;

const changesBetween = (before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>) => [
  ...changedEntries(before, after),
];

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
        expect(changesBetween(older, ours)).toEqual(
          before.some(([at, old]) => at === key && old === value) ? [] : [[key, value]],
        );
      }
      expect(changesBetween(new Map(first), ours)).toEqual(
        [...plain].filter(([key, value]) => new Map(first).get(key) !== value),
      );
      expect(goneKeys(ours, new Map(first))).toEqual(
        [...plain.keys()].filter((key) => !new Map(first).has(key)),
      );
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

test('of ten thousand entries a change copies one row, and shares the others', () => {
  const rowsOf = (map: ReadonlyMap<number, number>): unknown[] => Reflect.get(map, 'rows');
  const plain = new Map(Array.from({ length: 10_000 }, (_, key) => [key, 0] as const));
  const before = withEntry(plain, 0, 1);
  const after = withEntry(before, 9_999, 1);
  const old = new Set(rowsOf(before));
  const made = rowsOf(after).filter((row) => !old.has(row));
  expect(made.map((row) => Object(row).length)).toEqual([10_000 % 32]);
  expect(Reflect.get(after, 'frame')).toBe(Reflect.get(before, 'frame'));
});

test(`many at once are as one after the other (seed ${SEED})`, () => {
  const rows = fc.array(fc.tuple(fc.nat(90), fc.nat(3)), { maxLength: 100 });
  fc.assert(
    fc.property(rows, fc.array(rows, { maxLength: 5 }), (first, steps) => {
      let ours: ReadonlyMap<number, number> = new Map(first);
      let plain = new Map(first);
      for (const step of steps) {
        const [older, before] = [ours, [...ours]];
        ours = withEntries(ours, new Map(step));
        plain = new Map([...plain, ...step]);
        expect([...ours]).toEqual([...plain]);
        expect([...older]).toEqual(before);
        if (JSON.stringify([...plain]) === JSON.stringify(before)) expect(ours).toBe(older);
      }
    }),
    { seed: SEED },
  );
});

test.each([
  ['new', 10_000],
  ['known', 0],
])('ten thousand %s entries at once are one pass over those that are there', (_what, from) => {
  let visited = 0;
  class Watched extends Map<number, number> {
    override *[Symbol.iterator](): MapIterator<[number, number]> {
      visited += 1;
      yield* super[Symbol.iterator]();
    }
  }
  const before = new Watched(Array.from({ length: 10_000 }, (_, key) => [key, 0]));
  visited = 0;
  const after = withEntries(before, new Map(Array.from({ length: 10_000 }, (_, key) => [from + key, 1])));
  expect([after.size, after.get(from + 9_999)]).toEqual([from + 10_000, 1]);
  expect(visited).toBeLessThanOrEqual(1);
});

test(`maps that grow out of one, each in its own way, share what they can and know nothing of each other (seed ${SEED})`, () => {
  const step = fc.record({
    of: fc.nat(5),
    changes: fc.array(fc.tuple(fc.nat(99), fc.nat()), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const grown: [ReadonlyMap<number, number>, Map<number, number>][] = [[new Map(), new Map()]];
      for (const { of, changes } of steps) {
        const [ours, plain] = grown.at(-1 - (of % grown.length)) ?? [new Map(), new Map()];
        grown.push([withEntries(ours, new Map(changes)), new Map([...plain, ...changes])]);
      }
      for (const [ours, plain] of grown) {
        expect([...ours]).toEqual([...plain]);
        expect([...ours.keys()]).toEqual([...plain.keys()]);
        for (const [before, known] of grown) {
          expect(goneKeys(before, ours)).toEqual([...known.keys()].filter((key) => !plain.has(key)));
          expect(new Map(changesBetween(before, ours))).toEqual(
            new Map([...plain].filter(([key, value]) => known.get(key) !== value || !known.has(key))),
          );
        }
      }
    }),
    { seed: SEED },
  );
});

test('a new key beside ten thousand copies one row, too', () => {
  const plain = new Map(Array.from({ length: 10_000 }, (_, key) => [key, 0] as const));
  const before = withEntry(plain, 0, 1);
  const after = withEntry(before, 10_000, 1);
  expect(Reflect.get(after, 'frame')).toBe(Reflect.get(before, 'frame'));
  expect([before.size, before.has(10_000), before.get(10_000)]).toEqual([10_000, false, undefined]);
  expect(changesBetween(before, after)).toEqual([[10_000, 1]]);
});
