import { expect, test } from 'vitest';
import { keepEdges } from './follow.ts';
import type { LocalEdge } from './programs.ts';

const edge = (name: string, port = 80): LocalEdge => ({
  name,
  region: 'all',
  addresses: ['127.0.0.1'],
  port,
});
const names = (edges: readonly LocalEdge[]) => edges.map(({ name }) => name).join(' ');

test('an answer brings new and changed edges at once', () => {
  const { edges } = keepEdges([edge('b', 80)], [edge('b', 81), edge('a')], new Set(['a', 'b']), new Map());
  expect(edges).toEqual([edge('a'), edge('b', 81)]);
});

test('an edge is gone after three answers in a row without it', () => {
  let edges: LocalEdge[] = [edge('a'), edge('b')];
  let missing: ReadonlyMap<string, number> = new Map();
  const answer = (...listed: string[]) => {
    const kept = keepEdges(
      edges,
      listed.map((name) => edge(name)),
      new Set(listed),
      missing,
    );
    ({ edges, missing } = kept);
    return names(edges);
  };
  expect(answer('a')).toBe('a b');
  expect(answer('a')).toBe('a b');
  // It was a slip: the count begins anew.
  expect(answer('a', 'b')).toBe('a b');
  expect([answer('a'), answer('a'), answer('a')]).toEqual(['a b', 'a b', 'a']);
});

test('an edge that is listed with a spec that can not be read yet stays as it is', () => {
  let missing: ReadonlyMap<string, number> = new Map();
  for (let round = 0; round < 10; round++) {
    const kept = keepEdges([edge('a')], [], new Set(['a']), missing);
    expect(names(kept.edges)).toBe('a');
    ({ missing } = kept);
  }
});
