import { expect, test } from 'vitest';
import { memo, memoWith } from './memo.ts';

test('works out each object once', () => {
  let times = 0;
  const double = memo(({ n }: { n: number }) => {
    times += 1;
    return n === 0 ? undefined : n * 2;
  });
  const [one, none] = [{ n: 1 }, { n: 0 }];
  expect([double(one), double(one), double(none), double(none), double({ n: 1 })]).toEqual([
    2,
    2,
    undefined,
    undefined,
    2,
  ]);
  expect(times).toBe(3);
});

test('and anew when what it depends on beside is another', () => {
  const sum = memoWith(({ n }: { n: number }, { plus }: { plus: number }) => ({ sum: n + plus }));
  const [key, first, second] = [{ n: 1 }, { plus: 1 }, { plus: 2 }];
  const once = sum(key, first);
  expect(sum(key, first)).toBe(once);
  expect(sum(key, second)).toEqual({ sum: 3 });
  expect(sum(key, first)).toEqual({ sum: 2 });
});
