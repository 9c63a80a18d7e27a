import { expect, test } from 'vitest';
import type { EdgeRule } from '../../contract/plans/edge-plan.ts';
import { compileGlob } from './glob.ts';
import { compileRules, ruleFor } from './rule.ts';

const rule = (match: EdgeRule['match']): EdgeRule => ({
  match,
  bypass: false,
  query: { mode: 'Keep', names: [] },
});

test.each([
  [{ pathPrefix: '/live/' }, '/live/a', true],
  [{ pathPrefix: '/live/' }, '/live', false],
  [{ glob: '/a/*.ts' }, '/a/b.ts', true],
  [{ glob: '/a/*.ts' }, '/a/b/c.ts', false],
  [{ glob: '/a/**.ts' }, '/a/b/c.ts', true],
  [{ glob: '/a/?' }, '/a/b', true],
  [{ glob: '/a/?' }, '/a//', false],
  [{ glob: '/a.b' }, '/aXb', false],
  [{ glob: '/(a|b)[c]$' }, '/(a|b)[c]$', true],
  [{ extensions: ['mp4', 'ts'] }, '/x/y.MP4', true],
  [{ extensions: ['mp4'] }, '/x.mp4/y', false],
  [{ extensions: ['mp4'] }, '/mp4', false],
  [{ pathPrefix: '/a/', extensions: ['ts'] }, '/b/x.ts', false],
  [{ pathPrefix: '/a/', extensions: ['ts'] }, '/a/x.ts', true],
  [{}, '/', true],
])('%o and %s: %s', (match, path, matches) => {
  expect(ruleFor(compileRules([rule(match)]), path).number).toBe(matches ? 1 : 0);
});

test('the first that matches wins', () => {
  const rules = compileRules([rule({ extensions: ['ts'] }), rule({ pathPrefix: '/a' }), rule({})]);
  expect(['/a.ts', '/a', '/b'].map((path) => ruleFor(rules, path).number)).toEqual([1, 2, 3]);
});

test('a pattern full of stars is as quick as any', () => {
  const begin = performance.now();
  expect(compileGlob(`/${'**a'.repeat(40)}`)(`/${'a'.repeat(2_000)}b`)).toBe(false);
  expect(performance.now() - begin).toBeLessThan(500);
});
