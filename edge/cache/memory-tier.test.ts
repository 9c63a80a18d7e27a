import { expect, test } from 'vitest';
import { cacheKey } from './key.ts';
import { MemoryTier } from './memory-tier.ts';
import type { StoredObject } from './stored-object.ts';

const object = (id: string, path = `/${id}`): StoredObject => ({
  id,
  key: cacheKey('u', path, '', { mode: 'Keep', names: [] }),
  selection: [],
  status: 200,
  headers: [],
  requestTime: 0,
  responseTime: 0,
  generation: 0,
  tags: [],
  size: 10_000,
  checksums: [],
});
const body = Buffer.alloc(10_000);
const put = (tier: MemoryTier, id: string) => tier.set(id, [object(id)], [[id, body]]);

test('what was not used again goes first, and the limit holds', () => {
  const evicted: number[] = [];
  const tier = new MemoryTier(40_000, (objects) => evicted.push(objects));
  for (const id of ['a', 'b', 'c']) put(tier, id);
  tier.get('a');
  tier.get('a');
  put(tier, 'd');
  expect(['a', 'b', 'c', 'd'].map((id) => tier.get(id) !== undefined)).toEqual([true, false, true, true]);
  expect(evicted).toEqual([1]);
  expect(tier.bytes).toBeLessThanOrEqual(40_000);
});

test('bytes are counted back when things go', () => {
  const tier = new MemoryTier(10 ** 6);
  for (const id of ['a', 'b', 'c']) put(tier, id);
  tier.delete('a');
  expect(tier.removeWhere(({ id }) => id === 'b')).toEqual(['b']);
  tier.set('c', []);
  expect([tier.bytes, tier.size]).toEqual([0, 0]);
});

test('bodies stay with their objects, and go with them', () => {
  const tier = new MemoryTier(10 ** 6);
  const [one, two] = [object('one', '/x'), object('two', '/x')];
  tier.set('x', [one], [['one', body]]);
  tier.set('x', [two, one]);
  expect(tier.get('x')?.bodies.get('one')).toBe(body);
  tier.set('x', [two]);
  expect(tier.get('x')?.bodies.size).toBe(0);
});
