import { describe, expect, test } from 'vitest';
import type { QueryKey } from '../../contract/plans/edge-plan.ts';
import type { PurgeCommand } from '../../contract/stream/messages.ts';
import { cacheKey } from './key.ts';
import { covers, scopesOf } from './purge-scope.ts';

const command = (target: PurgeCommand['target']): PurgeCommand => ({
  type: 'purge',
  uid: 'p',
  domain: 'u',
  target,
});
const isOurs = (host: string) => host === 'a.example';

describe('urls and prefixes become scopes:', () => {
  test.each([
    ['https://a.example/x?y', { by: 'url', path: '/x', query: '?y' }],
    ['http://A.Example:81/%78/../z#f', { by: 'url', path: '/z', query: '' }],
    ['http://a.example', { by: 'url', path: '/', query: '' }],
    ['http://a.example//x%2fy', { by: 'url', path: '//x%2Fy', query: '' }],
    ['http://a.example/ä', { by: 'url', path: '/%C3%A4', query: '' }],
  ])('%s', (url, scope) => {
    expect(scopesOf(command({ by: 'urls', urls: [url] }), isOurs)).toEqual({
      scopes: [{ domain: 'u', ...scope }],
      foreign: [],
    });
  });

  test.each(['http://b.example/x', 'ftp://a.example/x', 'a.example/x', 'http://a.example/%zz', ''])(
    '%s is foreign',
    (url) => {
      expect(scopesOf(command({ by: 'prefixes', prefixes: [url] }), isOurs)).toEqual({
        scopes: [],
        foreign: [url],
      });
    },
  );
});

describe('what a URL covers:', () => {
  const keep: QueryKey = { mode: 'Keep', names: [] };
  const allow: QueryKey = { mode: 'Allow', names: ['v'] };
  test.each([
    ['?v=1&t=2', keep, '?v=1&t=2', true],
    ['?v=1&t=2', keep, '?v=1', false],
    ['?v=1&t=2', allow, '?v=1', true],
    ['?v=2&t=2', allow, '?v=1', false],
    ['?v=2', { mode: 'Ignore' as const, names: [] }, '?v=1', true],
  ])('%s with %o was stored; %s is purged: %s', (stored, setting, purged, covered) => {
    const key = cacheKey('u', '/a', stored, setting);
    expect(covers({ domain: 'u', by: 'url', path: '/a', query: purged }, { key, tags: [] })).toBe(covered);
    expect(covers({ domain: 'other', by: 'url', path: '/a', query: purged }, { key, tags: [] })).toBe(false);
  });
});
