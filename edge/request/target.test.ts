import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BadRequest, normalHost, normalPath, readTarget, splitUrl } from './target.ts';

describe('paths in one form (RFC 3986 6.2.2):', () => {
  test.each([
    ['/', '/'],
    ['/a/b.c', '/a/b.c'],
    ['/%61%2E%7e', '/a.~'],
    ['/%e4%bd', '/%E4%BD'],
    ['/a%2fb', '/a%2Fb'],
    ['/a/./b/../c', '/a/c'],
    ['/a/%2e%2E/c', '/c'],
    ['/../../x', '/x'],
    ['/a/..', '/'],
    ['/a/.', '/a/'],
    ['//a//b', '//a//b'],
    ['/a\\b', '/a%5Cb'],
    ['/a"<>', '/a%22%3C%3E'],
    ['/\u00e4', '/%E4'],
    ['/...', '/...'],
    ['/.well-known/x', '/.well-known/x'],
  ])('%s -> %s', (path, normal) => {
    expect(normalPath(path)).toBe(normal);
  });

  test.each(['', 'a', '/%', '/%4', '/%zz', '/%00'])('%s is refused', (path) => {
    expect(() => normalPath(path)).toThrow(BadRequest);
  });

  test('the form is stable, and holds no dot segments and nothing that needs encoding', () => {
    const piece = fc.oneof(
      fc.constantFrom('.', '..', '%2e', '%2E%2e', 'a', '%41', '%2f', '', 'ä', '"', ';x=1', '%e4'),
      fc.string({ maxLength: 3 }).map((text) => text.replace(/[%?#]/g, '_')),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const latin = Buffer.from(`/${pieces.join('/')}`, 'latin1')
          .toString('latin1')
          .replaceAll('\0', '_');
        const normal = normalPath(latin);
        expect(normalPath(normal)).toBe(normal);
        expect(normal).toMatch(/^\/[\x21-\x7e]*$/);
        expect(normal.split('/').some((segment) => segment === '.' || segment === '..')).toBe(false);
        expect(normal).not.toMatch(/%(?![0-9A-F]{2})|%2E|%41/);
      }),
      { seed: 3986 },
    );
  });
});

test.each([
  ['Video.Example.COM', 'video.example.com'],
  ['a.example.:8080', 'a.example'],
  ['127.0.0.1:80', '127.0.0.1'],
  ['[2001:DB8::1]:80', '[2001:db8::1]'],
  ['under_score.example', 'under_score.example'],
])('host %s -> %s', (authority, host) => {
  expect(normalHost(authority)).toBe(host);
});

test.each(['', ':80', 'a b', 'a/b', 'a@b', 'a..b', '.a', 'a:x', 'a:99999', 'a,b', 'x'.repeat(300)])(
  'host %s is refused',
  (authority) => {
    expect(() => normalHost(authority)).toThrow(/the Host header is not a host name/);
  },
);

test.each([
  ['/a?b#c', '/a', '?b'],
  ['/a?', '/a', '?'],
  ['?x', '/', '?x'],
  ['/a?b?c', '/a', '?b?c'],
  ['/a?x=%61"', '/a', '?x=%61%22'],
])('%s', (url, path, query) => {
  expect(splitUrl(url)).toEqual({ path, query });
});

test('an absolute target', () => {
  expect(readTarget('HTTP://A.example:80?x', ['b.example'])).toEqual({
    host: 'a.example',
    path: '/',
    query: '?x',
  });
  expect(() => readTarget('http://a.example/', ['b', 'c'])).toThrow(BadRequest);
});
