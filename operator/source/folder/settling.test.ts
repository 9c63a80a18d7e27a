import { expect, test } from 'vitest';
import type { ManifestFile } from './read-folder.ts';
import { judge, NOTHING_SEEN, type Settling } from './settling.ts';

const A: ManifestFile = { path: 'a.yaml', text: 'kind: A' };
const B: ManifestFile = { path: 'b.yaml', text: 'kind: B' };

/** Looks at these moments, and says at which a reading was believed. */
function believedAt(looks: [number, ManifestFile[]][]): number[] {
  let settling: Settling = NOTHING_SEEN;
  return looks.flatMap(([now, files]) => {
    const judgement = judge(settling, files, now);
    settling = judgement.settling;
    return judgement.believe ? [now] : [];
  });
}

test('the first reading is believed at once, and the same one never again', () => {
  expect(
    believedAt([
      [0, [A]],
      [50, [A]],
      [5_000, [A]],
    ]),
  ).toEqual([0]);
});

test('a change is believed when it is still there 100 ms later', () => {
  expect(
    believedAt([
      [0, [A]],
      [1_000, [A, B]],
      [1_099, [A, B]],
      [1_100, [A, B]],
    ]),
  ).toEqual([0, 1_100]);
});

test('a save in steps is seen whole or not at all', () => {
  const half = { ...A, text: 'ki' };
  const done = { ...A, text: 'kind: A2' };
  expect(
    believedAt([
      [0, [A]],
      [1_000, [half]],
      [1_050, [done]],
      [1_150, [done]],
    ]),
  ).toEqual([0, 1_150]);
});

test('a file that is renamed away and back within a second was never gone', () => {
  expect(
    believedAt([
      [0, [A, B]],
      [1_000, [A]],
      [1_500, [A]],
      [1_900, [A, B]],
      [9_000, [A, B]],
    ]),
  ).toEqual([0]);
});

test('a file that is truncated counts as gone only when it stays so', () => {
  const empty = { ...B, text: '\n' };
  expect(
    believedAt([
      [0, [A, B]],
      [1_000, [A, empty]],
      [1_999, [A, empty]],
      [2_000, [A, empty]],
    ]),
  ).toEqual([0, 2_000]);
});

test('it says when to look again', () => {
  const { settling } = judge(NOTHING_SEEN, [A, B], 0);
  expect(judge(settling, [A], 10).lookAgainMs).toBe(1_000);
  expect(judge(settling, [A, { ...B, text: 'kind: B2' }], 10).lookAgainMs).toBe(100);
});
