import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { QueryKey } from '../../contract/plans/edge-plan.ts';
import { cacheKey, countedQuery, parseQueryMode, queryModeText } from './key.ts';

const SEED = { seed: 7 };
const name = fc.constantFrom<string[]>('a', 'b', 'v', 'utm_source', 'x:y', 'ä');
const settings: fc.Arbitrary<QueryKey> = fc.oneof(
  fc.record({ mode: fc.constantFrom('Keep' as const, 'Ignore' as const), names: fc.constant<string[]>([]) }),
  fc.record({
    mode: fc.constantFrom('Allow' as const, 'Deny' as const),
    names: fc.array(name, { minLength: 1 }),
  }),
);
const parameter = fc
  .tuple(name, fc.constantFrom('', '=', '=1', '=%31'))
  .map(([key, value]) => encodeURIComponent(key) + value);
const query = fc.array(parameter).map((list) => (list.length === 0 ? '' : `?${list.join('&')}`));

test('what counts is filtered once and for all, and is a part of what came', () => {
  fc.assert(
    fc.property(query, settings, (text, setting) => {
      const counted = countedQuery(text, setting);
      expect(countedQuery(counted, setting)).toBe(counted);
      const came = text.slice(1).split('&');
      expect(
        counted
          .slice(1)
          .split('&')
          .every((one) => one === '' || came.includes(one)),
      ).toBe(true);
    }),
    SEED,
  );
});

test('Allow and Deny of the same names split a query between them', () => {
  fc.assert(
    fc.property(query, fc.array(name, { minLength: 1 }), (text, names) => {
      const parts = (['Allow', 'Deny'] as const).flatMap((mode) =>
        countedQuery(text, { mode, names }).slice(1).split('&'),
      );
      expect(parts.filter(Boolean).sort()).toEqual(text.slice(1).split('&').filter(Boolean).sort());
    }),
    SEED,
  );
});

test('a name counts however it is encoded', () => {
  const allow = { mode: 'Allow' as const, names: ['v 1'] };
  for (const text of ['?v%201=x', '?v+1=x', '?%76%20%31=x']) expect(countedQuery(text, allow)).toBe(text);
  expect(countedQuery('?v%2=x&%=1', allow)).toBe('');
});

test('a query setting is read back as it was written', () => {
  fc.assert(
    fc.property(settings, (setting) => {
      expect(parseQueryMode(queryModeText(setting))).toEqual(setting);
    }),
    SEED,
  );
});

test('keys differ where domain, path, counted query or setting do', () => {
  const keep = { mode: 'Keep' as const, names: [] };
  const ids = [
    cacheKey('u1', '/a', '', keep),
    cacheKey('u2', '/a', '', keep),
    cacheKey('u1', '/b', '', keep),
    cacheKey('u1', '/a', '?', keep),
    cacheKey('u1', '/a', '', { mode: 'Ignore', names: [] }),
  ].map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});
