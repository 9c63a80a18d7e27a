import { readdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PurgeCommand } from '../contract/stream/messages.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

const HEADERS = { 'cache-control': 'max-age=60', etag: '"v1"' };
const plain = (_request: unknown, response: ServerResponse) =>
  response.writeHead(200, HEADERS).end(`answer ${origin.requests.length}`);

beforeEach(async () => {
  origin = await startScriptOrigin(plain);
  edge = await startTestEdge({ origin: origin.url });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

type Target = PurgeCommand['target'];
let uids = 0;
const purge = (target: Target, domain = 'uid-video') =>
  edge.command({ type: 'purge', uid: `purge-${++uids}`, domain, target });
const softPurge = (target: Target) =>
  edge.command({ type: 'purge', uid: `purge-${++uids}`, domain: 'uid-video', target, soft: true });
const isHit = async (path: string, headers = {}) =>
  /zz-1; hit/.test(String((await edge.get(path, { headers })).headers['cache-status']));

async function isStoredAnywhere(): Promise<boolean> {
  const folder = join(edge.state, 'cache', 'objects');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.some((entry) => entry.isFile());
}

async function restart(): Promise<void> {
  await edge.stop();
  edge = await startTestEdge({ origin: origin.url, state: edge.state, clock: edge.clock });
}

test('by URL: any alias, any scheme, all variants; the count is of what was there', async () => {
  origin.answer((_request, response) => response.writeHead(200, { ...HEADERS, vary: 'x-v' }).end('x'));
  for (const value of ['1', '2']) await edge.get('/a?q=1', { headers: { 'x-v': value } });
  await edge.get('/a?q=2');
  const urls = ['https://V2.example.com:443/%61?q=1', 'http://video.example.com/never-seen'];
  expect(await purge({ by: 'urls', urls })).toMatchObject({ objects: 2 });
  expect(await isHit('/a?q=1', { 'x-v': '1' })).toBe(false);
  expect(await isHit('/a?q=2')).toBe(true);
  expect(await edge.metric('purged_objects_total')).toBe(2);
  expect(await edge.metric('commands_total', '{type="purge"}')).toBe(1);
});

test('by URL, also what was stored under another query setting', async () => {
  const rule = (mode: 'Ignore' | 'Keep') => ({ match: {}, bypass: false, query: { mode, names: [] } });
  await edge.publish([domainOf(origin.url, { rules: [rule('Ignore')] })]);
  await edge.get('/a?x=1');
  await edge.publish([domainOf(origin.url, { rules: [rule('Keep')] })]);
  expect(await purge({ by: 'urls', urls: ['http://video.example.com/a?x=2'] })).toMatchObject({ objects: 1 });
});

test('by prefix: whatever begins so, query or not', async () => {
  for (const path of ['/v/1/a', '/v/1/b?x=1', '/v/10', '/v/2']) await edge.get(path);
  const prefixes = ['https://video.example.com/v/1'];
  expect(await purge({ by: 'prefixes', prefixes })).toMatchObject({ objects: 3 });
  expect(await isHit('/v/1/a')).toBe(false);
  expect(await isHit('/v/2')).toBe(true);
});

test('by prefix that reaches into the query', async () => {
  for (const path of ['/a?x=1', '/a?x=12', '/a?y=1', '/a']) await edge.get(path);
  const prefixes = ['https://video.example.com/a?x=1'];
  expect(await purge({ by: 'prefixes', prefixes })).toMatchObject({ objects: 2 });
});

test('everything of a domain, and nothing of another', async () => {
  const other = domainOf(origin.url, { uid: 'uid-other', name: 'other', hostnames: ['other.example.com'] });
  await edge.publish([domainOf(origin.url), other]);
  for (const path of ['/a', '/b']) await edge.get(path);
  await edge.get('/a', { host: 'other.example.com' });
  expect(await purge({ by: 'everything' })).toMatchObject({ objects: 2 });
  expect(await isHit('/a')).toBe(false);
  const kept = await edge.get('/a', { host: 'other.example.com' });
  expect(kept.headers['cache-status']).toMatch(/hit/);
});

test('URLs of another host are left alone', async () => {
  await edge.get('/a');
  const urls = ['http://other.example.com/a', 'http://video.example.com/%zz'];
  expect(await purge({ by: 'urls', urls })).toMatchObject({ objects: 0 });
  expect(await isHit('/a')).toBe(true);
});

test('a second sending of a uid changes nothing and is answered as the first, also after a restart', async () => {
  await edge.get('/a');
  const command = { type: 'purge', uid: 'same', domain: 'uid-video', target: { by: 'everything' } } as const;
  const first = await edge.command(command);
  expect(first.objects).toBe(1);
  await edge.get('/a');
  expect((await edge.command(command)).objects).toBe(1);
  expect(await isHit('/a')).toBe(true);
  await restart();
  expect((await edge.command(command)).objects).toBe(1);
  expect(await isHit('/a')).toBe(true);
});

test('what is purged stays purged over a restart, what is not is still a hit', async () => {
  await edge.get('/a');
  await edge.get('/b');
  await purge({ by: 'urls', urls: ['http://video.example.com/a'] });
  await restart();
  expect(await isHit('/a')).toBe(false);
  expect(await isHit('/b')).toBe(true);
});

describe('by tag:', () => {
  const tagged: Record<string, Record<string, string>> = {
    '/key': { 'surrogate-key': 'film-1 Trailer' },
    '/tag': { 'cache-tag': 'film-1, poster' },
    '/both': { 'surrogate-key': 'a', 'cache-tag': 'TRAILER' },
    '/none': {},
  };
  beforeEach(async () => {
    origin.answer((request, response) =>
      response.writeHead(200, { ...HEADERS, ...tagged[request.url ?? ''] }).end('x'),
    );
    for (const path of Object.keys(tagged)) await edge.get(path);
  });
  const hits = async () => {
    const paths: string[] = [];
    for (const path of Object.keys(tagged)) if (await isHit(path)) paths.push(path);
    return paths;
  };

  test('all that have it, of either header, and no others; case does not matter', async () => {
    expect(await purge({ by: 'tags', tags: ['trailer'] })).toMatchObject({ objects: 2 });
    expect(await hits()).toEqual(['/tag', '/none']);
  });

  test('several tags count an object once; another domain’s stay', async () => {
    expect(await purge({ by: 'tags', tags: ['film-1'] }, 'uid-other')).toMatchObject({ objects: 0 });
    expect(await purge({ by: 'tags', tags: ['film-1', 'poster', 'Trailer'] })).toMatchObject({ objects: 3 });
    expect(await hits()).toEqual(['/none']);
  });

  test('tags are kept over a restart, and clients do not see them', async () => {
    await restart();
    const { headers } = await edge.get('/both');
    expect(headers).not.toHaveProperty('surrogate-key');
    expect(headers).not.toHaveProperty('cache-tag');
    expect(await purge({ by: 'tags', tags: ['film-1'] })).toMatchObject({ objects: 2 });
    expect(await hits()).toEqual(['/both', '/none']);
  });

  test('a thousand of one answer count, the last as well; one with more is not stored', async () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`).join(' ');
    for (const [path, count] of [
      ['/many', 1_000],
      ['/more', 1_001],
    ] as const) {
      const headers = { ...HEADERS, 'surrogate-key': names(count) };
      origin.answer((_request, response) => response.writeHead(200, headers).end('x'));
      await edge.get(path);
    }
    expect(await isHit('/many')).toBe(true);
    expect((await edge.get('/more')).headers['cache-status']).toMatch(/detail=too-many-tags/);
    expect(await purge({ by: 'tags', tags: ['n999'] })).toMatchObject({ objects: 1 });
    expect(await isHit('/many')).toBe(false);
  });

  test('a confirmation with other tags replaces them', async () => {
    edge.clock.advance(61_000);
    origin.answer((_request, response) =>
      response.writeHead(304, { ...HEADERS, 'surrogate-key': 'new' }).end(),
    );
    await edge.get('/key');
    expect(await purge({ by: 'tags', tags: ['trailer'] })).toMatchObject({ objects: 1 });
    expect(await purge({ by: 'tags', tags: ['new'] })).toMatchObject({ objects: 1 });
  });

  test('an answer whose head comes after the purge is not stored: it might have the tag', async () => {
    const open: ServerResponse[] = [];
    origin.answer((_request, response) => open.push(response));
    const before = edge.get('/late');
    await eventually(() => expect(open).toHaveLength(1));
    await purge({ by: 'tags', tags: ['late'] });
    open[0]?.writeHead(200, { ...HEADERS, 'cache-tag': 'late' }).end('old');
    await before;
    origin.answer(plain);
    expect(await isHit('/late')).toBe(false);
  });
});

describe('by expression:', () => {
  test('what matches path and query anywhere', async () => {
    for (const path of ['/v/1.ts', '/v/2.ts?x=1', '/v/1.m3u8', '/w/ts']) await edge.get(path);
    expect(await purge({ by: 'regex', regex: '^/v/[0-9]+\\.ts(\\?|$)' })).toMatchObject({ objects: 2 });
    expect(await isHit('/v/1.ts')).toBe(false);
    expect(await isHit('/v/1.m3u8')).toBe(true);
    expect(await isHit('/w/ts')).toBe(true);
  });

  test('also what lies on disk alone', async () => {
    for (const path of ['/v/1.ts', '/v/2.ts']) await edge.get(path);
    await restart();
    expect(await purge({ by: 'regex', regex: '1' })).toMatchObject({ objects: 1 });
    await restart();
    expect(await isHit('/v/1.ts')).toBe(false);
    expect(await isHit('/v/2.ts')).toBe(true);
  });
});

describe('of more than is worked off at once:', () => {
  const COUNT = 450;
  const paths = Array.from({ length: COUNT }, (_, index) => `/v/${index}`);
  beforeEach(async () => {
    for (let at = 0; at < COUNT; at += 50)
      await Promise.all(paths.slice(at, at + 50).map((path) => edge.get(path)));
    await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(COUNT));
    await restart();
  });

  test.each([
    ['everything', { by: 'everything' }],
    ['prefix', { by: 'prefixes', prefixes: ['http://video.example.com/v/'] }],
    ['regex', { by: 'regex', regex: '^/v/' }],
  ] satisfies [string, Target][])('%s: in force at once, counted when it is done', async (_name, target) => {
    const done = purge(target);
    expect(await isHit('/v/449')).toBe(false);
    expect((await done).objects).toBe(COUNT);
    expect(await isHit('/v/449')).toBe(true);
    expect(await isHit('/v/300')).toBe(false);
  });

  test('one that a stop interrupts is in force after the start, and is done there', async () => {
    const done = purge({ by: 'everything' });
    const refused = expect(done).rejects.toThrow('goes on with the next start');
    await restart();
    await refused;
    expect(await isHit('/v/449')).toBe(false);
    await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(1));
  });
});

describe('softly:', () => {
  const ask = async (path: string) => String((await edge.get(path)).headers['cache-status']);

  test.each([
    ['a URL', { by: 'urls', urls: ['http://video.example.com/a'] }],
    ['a prefix', { by: 'prefixes', prefixes: ['http://video.example.com/a'] }],
    ['a tag', { by: 'tags', tags: ['t'] }],
    ['an expression', { by: 'regex', regex: '^/a$' }],
    ['everything', { by: 'everything' }],
  ] satisfies [string, Target][])(
    '%s: stale, confirmed by the origin, and a hit again',
    async (_name, target) => {
      const headers = { ...HEADERS, 'cache-tag': 't' };
      origin.answer((_request, response) => response.writeHead(200, headers).end('first'));
      await edge.get('/a');
      expect(await softPurge(target)).toMatchObject({ objects: 1 });
      expect(await edge.metric('commands_total', '{type="softPurge"}')).toBe(1);
      origin.answer((request, response) =>
        response.writeHead(request.headers['if-none-match'] === '"v1"' ? 304 : 500, headers).end(),
      );
      expect(await ask('/a')).toMatch(/^zz-1; fwd=stale; fwd-status=304; ttl=(60|59)$/);
      expect(await ask('/a')).toMatch(/hit/);
      await restart();
      expect(await ask('/a')).toMatch(/hit/);
      expect((await edge.get('/a')).text).toBe('first');
    },
  );

  test('kept over a restart', async () => {
    await edge.get('/a');
    await softPurge({ by: 'everything' });
    await restart();
    expect(await ask('/a')).toMatch(/fwd=stale/);
  });

  test('a fetch that began before is not stored', async () => {
    const open: ServerResponse[] = [];
    origin.answer((_request, response) => open.push(response));
    const before = edge.get('/a');
    await eventually(() => expect(open).toHaveLength(1));
    await softPurge({ by: 'everything' });
    open[0]?.writeHead(200, HEADERS).end('old');
    await before;
    origin.answer(plain);
    expect(await isHit('/a')).toBe(false);
  });
});

describe('an answer held open across a purge', () => {
  test('goes to who asked before, is not stored, and is not joined by who asks after', async () => {
    const open: ServerResponse[] = [];
    origin.answer((_request, response) => {
      response.writeHead(200, HEADERS).flushHeaders();
      open.push(response);
    });
    const before = edge.get('/a');
    await eventually(() => expect(open).toHaveLength(1));
    open[0]?.write('old');
    expect(await purge({ by: 'everything' })).toMatchObject({ objects: 0 });
    const after = edge.get('/a');
    await eventually(() => expect(open).toHaveLength(2));
    open[1]?.end('new');
    expect((await after).text).toBe('new');
    open[0]?.end(' answer');
    expect((await before).text).toBe('old answer');
    expect((await edge.get('/a')).text).toBe('new');
    expect(origin.requests).toHaveLength(2);
  });

  test('the same when its head has not come yet', async () => {
    const open: ServerResponse[] = [];
    origin.answer((_request, response) => open.push(response));
    const before = edge.get('/a');
    await eventually(() => expect(open).toHaveLength(1));
    await purge({ by: 'urls', urls: ['http://video.example.com/a'] });
    open[0]?.writeHead(200, HEADERS).end('old');
    expect((await before).text).toBe('old');
    origin.answer(plain);
    expect((await edge.get('/a')).text).toBe('answer 2');
  });

  test('a revalidation that began before does not bring the object back', async () => {
    await edge.get('/a');
    edge.clock.advance(61_000);
    const open: ServerResponse[] = [];
    origin.answer((_request, response) => open.push(response));
    const before = edge.get('/a');
    await eventually(() => expect(open).toHaveLength(1));
    await purge({ by: 'everything' });
    open[0]?.writeHead(304, HEADERS).end();
    expect((await before).text).toBe('answer 1');
    origin.answer(plain);
    expect((await edge.get('/a')).text).toBe('answer 3');
    await restart();
    expect((await edge.get('/a')).text).toBe('answer 3');
  });

  test('a revalidation of what lies on disk alone is asked again when the file is gone', async () => {
    await edge.stop();
    await edge.remove();
    edge = await startTestEdge({ origin: origin.url, memory: 0 });
    await edge.get('/a');
    await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(1));
    edge.clock.advance(61_000);
    const open: ServerResponse[] = [];
    origin.answer((_request, response) => open.push(response));
    const before = edge.get('/a');
    await eventually(() => expect(open).toHaveLength(1));
    await purge({ by: 'everything' });
    await eventually(async () => expect(await isStoredAnywhere()).toBe(false));
    origin.answer(plain);
    open[0]?.writeHead(304, HEADERS).end();
    expect((await before).text).toBe('answer 3');
  });

  test('a purge of something else leaves it alone', async () => {
    const open: ServerResponse[] = [];
    origin.answer((_request, response) => open.push(response));
    const before = edge.get('/a');
    await eventually(() => expect(open).toHaveLength(1));
    await purge({ by: 'urls', urls: ['http://video.example.com/b'] });
    open[0]?.writeHead(200, HEADERS).end('kept');
    await before;
    expect(await isHit('/a')).toBe(true);
  });
});

test('revalidate all: every stored answer is confirmed before it is used again, also after a restart', async () => {
  for (const path of ['/a', '/b']) await edge.get(path);
  await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(2));
  const command = { type: 'revalidateAll', uid: 'all' } as const;
  expect(await edge.command(command)).toMatchObject({ objects: 2 });
  origin.answer((request, response) =>
    response.writeHead(request.headers['if-none-match'] === '"v1"' ? 304 : 500, HEADERS).end(),
  );
  const confirmed = await edge.get('/a');
  expect(confirmed).toMatchObject({ status: 200, text: 'answer 1' });
  expect(confirmed.headers['cache-status']).toMatch(/fwd=stale; fwd-status=304/);
  expect(await isHit('/a')).toBe(true);
  await restart();
  expect(await isHit('/a')).toBe(true);
  expect((await edge.get('/b')).headers['cache-status']).toMatch(/fwd=stale; fwd-status=304/);
  expect(await edge.command(command)).toMatchObject({ objects: 2 });
  expect(await isHit('/b')).toBe(true);
});
