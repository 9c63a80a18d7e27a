/** How often others are looked at while they are waited for. */
import { expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { waitFor } from './waiting.ts';

/** Looks until patience is out, at a server that always says the same. */
async function looks(retryAfterMs: number | undefined): Promise<number> {
  const clock = new FakeClock();
  let count = 0;
  let isOver = false;
  const look = async () => {
    count += 1;
    return { missing: 'all of it', retryAfterMs };
  };
  const waiting = waitFor({ clock, signal: new AbortController().signal }, look, () => new Error('too late'))
    .catch((error: Error) => error.message)
    .finally(() => {
      isOver = true;
    });
  await eventually(() => {
    clock.advance(1_000);
    if (!isOver) throw new Error('still waiting');
  });
  expect(await waiting).toBe('too late');
  return count;
}

test.each([
  ['nothing', undefined],
  ['0', 0],
])('a server that says %s is asked once a second, for five minutes', async (_what, retryAfterMs) => {
  const count = await looks(retryAfterMs);
  expect(count).toBeGreaterThan(200);
  expect(count).toBeLessThanOrEqual(302);
});

test('a server that wants to be left alone for a year is asked once more', async () => {
  expect(await looks(365 * 86_400_000)).toBe(2);
});
