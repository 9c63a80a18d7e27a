import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

test('each step begins when the one before has ended, also where that failed', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const one = turns.take(async () => {
    seen.push('one begins');
    await first.promise;
    seen.push('one ends');
    throw new Error('lost');
  });
  const two = turns.take(async () => seen.push('two'));
  first.resolve();
  await expect(one).rejects.toThrow('lost');
  await expect(two).resolves.toBe(3);
  await turns.idle();
  expect(seen).toEqual(['one begins', 'one ends', 'two']);
});
