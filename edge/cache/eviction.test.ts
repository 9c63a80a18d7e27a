import fc from 'fast-check';
import { expect, test } from 'vitest';
import { s3Fifo } from './eviction.ts';

const SEED = 20_261_122;

function evictAll(eviction: ReturnType<typeof s3Fifo>): string[] {
  const gone: string[] = [];
  for (let key = eviction.next(); key !== undefined; key = eviction.next()) gone.push(key);
  return gone;
}

test('a scan leaves what is used as it is', () => {
  const eviction = s3Fifo();
  const resident = new Set<string>();
  const room = 100;
  const put = (key: string) => {
    resident.add(key);
    eviction.put(key, 1);
    while (resident.size > room) resident.delete(eviction.next() ?? '');
  };
  const hot = Array.from({ length: 50 }, (_, index) => `hot-${index}`);
  for (const key of hot) put(key);
  for (let round = 0; round < 3; round++) for (const key of hot) eviction.used(key);
  for (let index = 0; index < 10_000; index++) put(`scan-${index}`);
  expect(hot.filter((key) => resident.has(key))).toHaveLength(50);
});

test('what comes back soon after it went is kept longer than what is new', () => {
  const eviction = s3Fifo();
  for (let index = 0; index < 20; index++) eviction.put(`first-${index}`, 1);
  expect(eviction.next()).toBe('first-0');
  eviction.put('first-0', 1);
  for (let index = 1; index < 15; index++) expect(eviction.next()).toBe(`first-${index}`);
});

test('each key that was put and not removed comes out exactly once, whatever happened before', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const step = fc.oneof(
    fc.record({ do: fc.constant('put' as const), key, bytes: fc.integer({ min: 0, max: 100 }) }),
    fc.record({ do: fc.constantFrom('used' as const, 'removed' as const, 'next' as const), key }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const eviction = s3Fifo();
      const resident = new Set<string>();
      for (const each of steps) {
        if (each.do === 'put') {
          eviction.put(each.key, each.bytes);
          resident.add(each.key);
        } else if (each.do === 'next') {
          const gone = eviction.next();
          expect(gone === undefined ? resident.size === 0 : resident.delete(gone)).toBe(true);
        } else {
          eviction[each.do](each.key);
          if (each.do === 'removed') resident.delete(each.key);
        }
      }
      expect(evictAll(eviction).sort()).toEqual([...resident].sort());
    }),
    { seed: SEED },
  );
});
