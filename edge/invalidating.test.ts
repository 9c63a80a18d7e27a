/** Unsafe methods make invalid what is stored (RFC 9111 4.4), over sockets. */
import { beforeEach, describe, expect, test } from 'vitest';
import { scriptedCdn } from './testing/scripted-cdn.ts';

const cdn = scriptedCdn();
const FRESH = { 'cache-control': 'max-age=60', vary: 'accept' };
const PATHS = ['/a', '/a?x=1', '/b', '/c'];

const stored = async (paths = PATHS) => {
  const replies = await Promise.all(paths.map((path) => cdn.get(path)));
  return paths.filter((_path, index) => /; hit/.test(String(replies[index]?.headers['cache-status'])));
};

beforeEach(async () => {
  cdn.says(FRESH);
  for (const path of PATHS) await cdn.get(path);
  // Of the target also what another variant is.
  await cdn.get('/a', { accept: 'x/y' });
});

/** One request with this method, answered so; then what is still stored is told. */
async function left(method: string, answer: Record<string, string>, status = 200): Promise<string[]> {
  cdn.says(answer, status);
  const reply = await cdn.edge.get('/a', { method, ...(method !== 'DELETE' && { body: 'x' }) });
  expect(reply.status).toBe(status);
  expect(cdn.origin.requests.at(-1)?.method).toBe(method);
  cdn.says(FRESH);
  return await stored();
}

describe('the target, in all variants, and nothing else:', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'PROPPATCH', 'M-SEARCH'])('%s', async (method) => {
    expect(await left(method, {})).toEqual(['/a?x=1', '/b', '/c']);
    const other = await cdn.get('/a', { accept: 'x/y' });
    expect(other.headers['cache-status']).toMatch(/fwd=/);
  });

  test.each([201, 204, 303, 399])('%d is no error', async (status) => {
    expect(await left('POST', {}, status)).not.toContain('/a');
  });

  test.each([400, 404, 409, 500, 503])('%d is one, and leaves all as it is', async (status) => {
    expect(await left('POST', { location: '/b' }, status)).toEqual(PATHS);
  });

  test('safe methods leave all as it is', async () => {
    cdn.says({});
    expect((await cdn.edge.get('/a', { method: 'OPTIONS' })).status).toBe(200);
    expect(await stored()).toEqual(PATHS);
  });
});

describe('what the answer names on the same domain:', () => {
  test.each([
    ['location', '/b', '/b'],
    ['content-location', '/b', '/b'],
    ['location', './b', '/b'],
    ['location', 'http://video.example.com/b', '/b'],
    // An alias has the same objects, and http and https too.
    ['location', 'https://v2.example.com/b#part', '/b'],
    ['content-location', '/a?x=1', '/a?x=1'],
  ])('%s: %s', async (name, value, gone) => {
    expect(await left('PUT', { [name]: value }, 201)).toEqual(
      PATHS.filter((path) => ![gone, '/a'].includes(path)),
    );
  });

  test.each([
    'http://other.example/b',
    'https://video.example.com.evil.example/b',
    'http://[broken/b',
    '/%zz',
  ])('not: %s', async (location) => {
    expect(await left('PUT', { location, 'content-location': location }, 201)).toEqual([
      '/a?x=1',
      '/b',
      '/c',
    ]);
  });
});

test('a fetch that began before is not stored over it', async () => {
  const held = Promise.withResolvers<() => void>();
  cdn.origin.answer((request, response) => {
    if (request.method !== 'GET') return response.end();
    held.resolve(() => response.writeHead(200, FRESH).end('old'));
  });
  const old = cdn.get('/new');
  const answer = await held.promise;
  await cdn.edge.get('/new', { method: 'POST', body: 'x' });
  answer();
  expect((await old).text).toBe('old');
  cdn.says(FRESH);
  expect((await cdn.get('/new')).text).toMatch(/^answer/);
});
