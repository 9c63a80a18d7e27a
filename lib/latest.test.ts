import { expect, test } from 'vitest';
import { latest } from './latest.ts';

/** Steps that end when the test says so. */
function slowly() {
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const runner = latest<string>((value) => {
    started.push(value);
    return new Promise((resolve) => ends.push(resolve));
  });
  const endOne = async () => {
    ends.shift()?.();
    // Lets the runner see that its step ended.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { runner, started, endOne };
}

test('only the newest of the values that wait gets its turn', async () => {
  const { runner, started, endOne } = slowly();
  for (const value of ['a', 'b', 'c']) runner.offer(value);
  expect(started).toEqual(['a']);
  await endOne();
  expect(started).toEqual(['a', 'c']);
  await endOne();
  await runner.idle();
  runner.offer('d');
  expect(started).toEqual(['a', 'c', 'd']);
});

test('it is idle when nothing runs and nothing waits', async () => {
  const { runner, endOne } = slowly();
  await runner.idle();
  runner.offer('a');
  runner.offer('b');
  let idle = false;
  const waited = runner.idle().then(() => {
    idle = true;
  });
  await endOne();
  expect(idle).toBe(false);
  await endOne();
  await waited;
  expect(idle).toBe(true);
});
