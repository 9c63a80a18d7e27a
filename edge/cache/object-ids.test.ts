import { expect, test } from 'vitest';
import { ObjectIds } from './object-ids.ts';

test.each(['', 'a7'])('names with the mark %j differ, and are 24 hexadecimal digits', (mark) => {
  const ids = new ObjectIds(mark);
  const made = Array.from({ length: 20_000 }, () => ids.next());
  expect(new Set(made).size).toBe(made.length);
  for (const id of made) expect(id).toMatch(new RegExp(`^[0-9a-f]{${24 - mark.length}}${mark}$`));
});

test('neighbours begin alike, and the first two digits, which name a folder, are even in the long run', () => {
  const ids = new ObjectIds();
  const made = Array.from({ length: 64 * 256 * 16 }, () => ids.next());
  expect(new Set(made.slice(0, 64).map((id) => id.slice(0, 8))).size).toBe(1);
  const byFolder = new Map<string, number>();
  for (const id of made) byFolder.set(id.slice(0, 2), (byFolder.get(id.slice(0, 2)) ?? 0) + 1);
  expect(byFolder.size).toBeGreaterThan(250);
  // 1024 on average: 16 draws of 256.
  expect(Math.max(...byFolder.values())).toBeLessThan(64 * 45);
});
