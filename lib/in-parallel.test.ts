import { expect, test } from 'vitest';
import { inParallel } from './in-parallel.ts';

test('all items, in order, never more than the limit at once', async () => {
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  await inParallel([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
  });
  expect(begun).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

test('one that fails keeps none of the others from being tried, and is told', async () => {
  const tried: number[] = [];
  const run = inParallel([1, 2, 3], 1, async (item) => {
    tried.push(item);
    if (item !== 3) throw new Error(`no ${item}`);
  });
  await expect(run).rejects.toThrow('no 1');
  expect(tried).toEqual([1, 2, 3]);
});

test('nothing to do', async () => {
  await expect(inParallel([], 4, () => Promise.reject(new Error('never')))).resolves.toBeUndefined();
});
