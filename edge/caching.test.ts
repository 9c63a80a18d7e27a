import { beforeEach, describe, expect, test } from 'vitest';
import type { EdgeRule } from '../contract/plans/edge-plan.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { scriptedCdn } from './testing/scripted-cdn.ts';
import { KEEP } from './testing/test-edge.ts';

const cdn = scriptedCdn();

test('a miss, then hits from memory, whole and counted', async () => {
  cdn.says({ 'cache-control': 'max-age=60', 'content-type': 'text/x-thing', 'x-own': 'kept' });
  const miss = await cdn.edge.get('/a?x=1');
  expect(miss).toMatchObject({ status: 200, text: 'answer 1' });
  expect(miss.headers['cache-status']).toMatch(/^zz-1; fwd=uri-miss; ttl=\d+; stored$/);
  cdn.edge.clock.advance(7_000);
  const hit = await cdn.edge.get('/a?x=1');
  expect(hit).toMatchObject({ status: 200, text: 'answer 1' });
  expect(hit.headers).toMatchObject({
    'content-type': 'text/x-thing',
    'content-length': '8',
    'x-own': 'kept',
    via: '1.1 weir-zz-1',
  });
  expect(Number(hit.headers.age)).toBeGreaterThanOrEqual(7);
  expect(hit.headers['cache-status']).toMatch(/^zz-1; hit; ttl=5\d$/);
  expect(cdn.origin.requests).toHaveLength(1);
  expect(await cdn.edge.metric('requests_total', '{domain="demo/video",result="hit"}')).toBe(1);
  expect(await cdn.edge.metric('requests_total', '{domain="demo/video",result="miss"}')).toBe(1);
  expect(await cdn.edge.metric('client_bytes_total', '{domain="demo/video"}')).toBe(16);
  expect(await cdn.edge.metric('origin_bytes_total', '{domain="demo/video"}')).toBe(8);
});

test('aliases, host case, port, trailing dot and encoded paths share one object', async () => {
  cdn.says({ 'cache-control': 'max-age=60' });
  await cdn.edge.get('/d/%41.txt');
  for (const host of ['v2.example.com', 'VIDEO.example.com:8080', 'video.example.com.']) {
    expect((await cdn.edge.get('/d/x/../%41.txt', { host })).headers['cache-status']).toMatch(/hit/);
  }
  expect(cdn.origin.requests.map(({ url }) => url)).toEqual(['/d/A.txt']);
});

test('stale with a validator: confirmed by 304, its header updated, and fresh again', async () => {
  cdn.says({ 'cache-control': 'max-age=10', etag: '"one"', 'x-turn': '1' });
  await cdn.edge.get('/a');
  cdn.edge.clock.advance(11_000);
  cdn.origin.answer((request, response) => {
    expect(request.headers['if-none-match']).toBe('"one"');
    response.writeHead(304, { 'cache-control': 'max-age=10', 'x-turn': '2', etag: '"one"' }).end();
  });
  const confirmed = await cdn.edge.get('/a');
  expect(confirmed).toMatchObject({ status: 200, text: 'answer 1' });
  expect(confirmed.headers['x-turn']).toBe('2');
  expect(confirmed.headers['cache-status']).toMatch(/^zz-1; fwd=stale; fwd-status=304; ttl=\d+$/);
  expect((await cdn.edge.get('/a')).headers['cache-status']).toMatch(/hit/);
  expect(cdn.origin.requests).toHaveLength(2);
});

test('stale, and replaced by a 200', async () => {
  cdn.says({ 'cache-control': 'max-age=10', etag: '"one"' });
  await cdn.edge.get('/a');
  cdn.edge.clock.advance(11_000);
  cdn.says({ 'cache-control': 'max-age=10', etag: '"two"' });
  expect((await cdn.edge.get('/a')).text).toBe('answer 2');
  expect((await cdn.edge.get('/a')).text).toBe('answer 2');
  await eventually(async () => expect(await cdn.edge.metric('stored_objects', '{tier="disk"}')).toBe(1));
});

test('a 304 that names another entity tag confirms nothing', async () => {
  cdn.says({ 'cache-control': 'max-age=10', etag: '"one"' });
  await cdn.edge.get('/a');
  cdn.edge.clock.advance(11_000);
  cdn.origin.answer((request, response) => {
    const conditional = request.headers['if-none-match'] !== undefined;
    response.writeHead(conditional ? 304 : 200, { etag: '"two"', 'cache-control': 'max-age=10' });
    response.end(conditional ? undefined : 'new');
  });
  expect((await cdn.edge.get('/a')).text).toBe('new');
});

test('without an entity tag, a 304 that names another date confirms nothing (RFC 9111 4.3.4)', async () => {
  const [newer, older] = ['Mon, 02 Nov 2026 10:00:00 GMT', 'Sun, 01 Nov 2026 10:00:00 GMT'];
  cdn.says({ 'cache-control': 'max-age=10', 'last-modified': newer });
  await cdn.edge.get('/a');
  cdn.edge.clock.advance(11_000);
  // It has gone back to what it had before, which is not modified since then.
  cdn.origin.answer(({ headers }, response) => {
    const isOld = headers['if-modified-since'] === newer;
    response.writeHead(isOld ? 304 : 200, { 'cache-control': 'max-age=10', 'last-modified': older });
    response.end(isOld ? undefined : 'what it had before');
  });
  const reply = await cdn.edge.get('/a');
  expect(reply).toMatchObject({ text: 'what it had before', headers: { 'last-modified': older } });
  expect(cdn.origin.requests).toHaveLength(3);
});

describe('not stored:', () => {
  test.each([
    ['no-store', { 'cache-control': 'no-store, max-age=60' }],
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['a cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'a=b' }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: '*' }],
    ['nothing said', {}],
  ])('%s', async (_name, headers) => {
    cdn.says(headers);
    await cdn.edge.get('/a');
    const again = await cdn.edge.get('/a');
    expect(again.text).toBe('answer 2');
    expect(again.headers['cache-status']).toMatch(/fwd=uri-miss; detail=/);
    expect(again.headers['cache-status']).not.toMatch(/stored/);
  });

  test('an answer to Authorization, unless it is said to be for all', async () => {
    const headers = { authorization: 'Basic x' };
    cdn.says({ 'cache-control': 'max-age=60' });
    await cdn.edge.get('/a', { headers });
    expect((await cdn.edge.get('/a')).text).toBe('answer 2');
    cdn.says({ 'cache-control': 'public, max-age=60' });
    await cdn.edge.get('/b', { headers });
    expect((await cdn.edge.get('/b')).text).toBe('answer 3');
  });
});

test('variants by Vary, each stored below one key', async () => {
  cdn.origin.answer((request, response) => {
    response.setHeader('vary', 'accept-language');
    response.setHeader('cache-control', 'max-age=60');
    response.end(String(request.headers['accept-language']));
  });
  const get = (language: string) => cdn.edge.get('/a', { headers: { 'accept-language': language } });
  expect((await get('de')).text).toBe('de');
  const other = await get('zh');
  expect(other.text).toBe('zh');
  expect(other.headers['cache-status']).toMatch(/fwd=vary-miss/);
  expect((await get('de')).headers['cache-status']).toMatch(/hit/);
  expect((await get('zh')).text).toBe('zh');
  expect(cdn.origin.requests).toHaveLength(2);
});

describe('an answer that varies on less than the one before:', () => {
  test('of several that fit the most recent one is used (RFC 9111 4)', async () => {
    cdn.says({ 'cache-control': 'max-age=60', vary: 'x-plan' });
    await cdn.get('/a', { 'x-plan': 'gold' });
    cdn.edge.clock.advance(5_000);
    cdn.says({ 'cache-control': 'max-age=60' });
    await cdn.get('/a', { 'x-plan': 'silver' });
    const reply = await cdn.get('/a', { 'x-plan': 'gold' });
    expect(reply.text).toBe('answer 2');
    expect(reply.headers['cache-status']).toMatch(/hit/);
  });

  test.each([
    ['no field', { vary: 'x-plan' }, {}],
    ['another field', { vary: 'x-plan' }, { vary: 'x-other' }],
    ['no coding', { 'content-encoding': 'gzip' }, {}],
  ])('%s: it takes the place of what was asked about', async (_name, before, after) => {
    const headers = { 'x-plan': 'gold', 'accept-encoding': 'gzip' };
    cdn.says({ 'cache-control': 'max-age=10', ...before });
    await cdn.get('/a', headers);
    cdn.edge.clock.advance(11_000);
    cdn.says({ 'cache-control': 'max-age=60', ...after });
    expect((await cdn.get('/a', headers)).text).toBe('answer 2');
    await eventually(async () =>
      expect((await cdn.get('/a', headers)).headers['cache-status']).toMatch(/hit/),
    );
    expect(cdn.origin.requests).toHaveLength(2);
    await eventually(async () => expect(await cdn.edge.metric('stored_objects', '{tier="disk"}')).toBe(1));
  });
});

test('variants of a key are bounded', async () => {
  cdn.origin.answer((_request, response) => {
    response.setHeader('vary', 'x-any');
    response.setHeader('cache-control', 'max-age=60');
    response.end('x');
  });
  for (let index = 0; index < 70; index++) await cdn.edge.get('/a', { headers: { 'x-any': String(index) } });
  await eventually(async () => expect(await cdn.edge.metric('stored_objects', '{tier="disk"}')).toBe(64));
  expect((await cdn.edge.get('/a', { headers: { 'x-any': '69' } })).headers['cache-status']).toMatch(/hit/);
  expect((await cdn.edge.get('/a', { headers: { 'x-any': '0' } })).headers['cache-status']).toMatch(
    /fwd=vary-miss/,
  );
});

test('an encoded answer never goes to a client that cannot read it, Vary or not', async () => {
  cdn.origin.answer((request, response) => {
    const gzip = request.headers['accept-encoding'] === 'gzip';
    if (gzip) response.setHeader('content-encoding', 'gzip');
    response.setHeader('cache-control', 'max-age=60');
    response.end(gzip ? 'zipped' : 'plain');
  });
  const get = (coding: string) => cdn.edge.get('/a', { headers: { 'accept-encoding': coding } });
  expect((await get('br, gzip;q=0.5, zstd')).text).toBe('zipped');
  expect((await get('gzip;q=0, br')).text).toBe('plain');
  expect((await cdn.edge.get('/a')).text).toBe('plain');
  expect((await get('deflate, gzip')).text).toBe('zipped');
  expect(cdn.origin.requests).toHaveLength(2);
});

describe('what a request may ask:', () => {
  beforeEach(async () => {
    cdn.says({ 'cache-control': 'max-age=60' });
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(20_000);
  });

  test.each([
    ['no-cache', 'answer 2'],
    ['max-age=10', 'answer 2'],
    ['min-fresh=50', 'answer 2'],
    ['max-age=30', 'answer 1'],
    ['min-fresh=10', 'answer 1'],
    ['max-stale=100', 'answer 1'],
    ['only-if-cached', 'answer 1'],
  ])('%s', async (control, text) => {
    expect((await cdn.edge.get('/a', { headers: { 'cache-control': control } })).text).toBe(text);
  });

  test('only-if-cached with nothing stored is 504, and asks nobody', async () => {
    const reply = await cdn.edge.get('/b', { headers: { 'cache-control': 'only-if-cached' } });
    expect(reply.status).toBe(504);
    expect(cdn.origin.requests).toHaveLength(1);
  });

  test('max-stale does not make stale answers fresh', async () => {
    cdn.edge.clock.advance(60_000);
    expect((await cdn.edge.get('/a', { headers: { 'cache-control': 'max-stale' } })).text).toBe('answer 2');
  });

  test('Pragma counts only without Cache-Control', async () => {
    const ignored = { pragma: 'no-cache', 'cache-control': 'max-age=30' };
    expect((await cdn.edge.get('/a', { headers: ignored })).text).toBe('answer 1');
    expect((await cdn.edge.get('/a', { headers: { pragma: 'no-cache' } })).text).toBe('answer 2');
  });
});

describe('conditions of clients:', () => {
  const modified = 'Sun, 22 Nov 2026 10:00:00 GMT';
  beforeEach(async () => {
    cdn.says({
      'cache-control': 'max-age=60',
      etag: 'W/"one"',
      'last-modified': modified,
      'content-type': 'text/x',
    });
    await cdn.edge.get('/a');
  });

  test.each([
    [{ 'if-none-match': '"one"' }, 304],
    [{ 'if-none-match': '"zero", W/"one"' }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"two"' }, 200],
    [{ 'if-none-match': '"two"', 'if-modified-since': modified }, 200],
    [{ 'if-modified-since': modified }, 304],
    [{ 'if-modified-since': 'Sun, 22 Nov 2026 09:59:59 GMT' }, 200],
    [{ 'if-modified-since': 'yesterday' }, 200],
  ])('%o -> %d', async (headers: Record<string, string>, status) => {
    const reply = await cdn.edge.get('/a', { headers });
    expect(reply.status).toBe(status);
    expect(reply.headers).toHaveProperty('etag', 'W/"one"');
    expect(reply.headers).toHaveProperty('age');
    expect(reply.headers['content-type']).toBe(status === 304 ? undefined : 'text/x');
    expect(reply.text).toBe(status === 304 ? '' : 'answer 1');
    expect(cdn.origin.requests).toHaveLength(1);
  });
});

describe('rules:', () => {
  const start = (...rules: EdgeRule[]) => cdn.startAnew({ rules });
  const ttl = (seconds: number, force = false) => ({ seconds, statuses: [200, 404], force });

  test('the first that matches wins; bypass stores nothing and serves nothing stored', async () => {
    await start(
      { match: { pathPrefix: '/live/' }, bypass: true, query: KEEP },
      { match: {}, bypass: false, ttl: ttl(60), query: KEEP },
    );
    cdn.says({});
    await cdn.edge.get('/live/a');
    const again = await cdn.edge.get('/live/a');
    expect(again.text).toBe('answer 2');
    expect(again.headers['cache-status']).toBe('zz-1; fwd=bypass; detail=rule-1');
    await cdn.edge.get('/else');
    expect((await cdn.edge.get('/else')).headers['cache-status']).toMatch(/hit; ttl=60/);
  });

  test('ttl replaces the origin’s freshness, browserTtl what browsers hear', async () => {
    await start({ match: { extensions: ['mp4'] }, bypass: false, ttl: ttl(600), browserTtl: 5, query: KEEP });
    cdn.says({ 'cache-control': 'max-age=1', expires: 'Thu, 01 Jan 1970 00:00:00 GMT' });
    await cdn.edge.get('/a.MP4');
    cdn.edge.clock.advance(300_000);
    const hit = await cdn.edge.get('/a.MP4');
    expect(hit.headers['cache-status']).toBe('zz-1; hit; ttl=300');
    // Five seconds from now: a browser takes the Age off (RFC 9111 4.2).
    expect(hit.headers).toMatchObject({ age: '300', 'cache-control': 'max-age=305' });
    expect(hit.headers).not.toHaveProperty('expires');
  });

  test('private still wins over ttl, and force wins over private; a forced cookie goes to nobody', async () => {
    await start(
      { match: { pathPrefix: '/f' }, bypass: false, ttl: ttl(60, true), query: KEEP },
      { match: {}, bypass: false, ttl: ttl(60), query: KEEP },
    );
    cdn.says({ 'cache-control': 'private', 'set-cookie': 'session=1' });
    await cdn.edge.get('/a');
    expect((await cdn.edge.get('/a')).text).toBe('answer 2');
    expect((await cdn.edge.get('/f')).headers).not.toHaveProperty('set-cookie');
    expect((await cdn.edge.get('/f')).text).toBe('answer 3');
  });

  test.each([
    [{ mode: 'Ignore' as const, names: [] }, '/a?x=1', '/a?y=2', true],
    [{ mode: 'Allow' as const, names: ['v'] }, '/a?v=1&x=1', '/a?x=2&v=1', true],
    [{ mode: 'Allow' as const, names: ['v'] }, '/a?v=1', '/a?v=2', false],
    [{ mode: 'Deny' as const, names: ['t'] }, '/a?t=1&v=1', '/a?v=1', true],
    [{ mode: 'Keep' as const, names: [] }, '/a?v=1', '/a?v=1&t=1', false],
  ])('query %o: %s and %s', async (query, first, second, same) => {
    await start({ match: {}, bypass: false, ttl: ttl(60), query });
    cdn.says({});
    await cdn.edge.get(first);
    expect((await cdn.edge.get(second)).text).toBe(same ? 'answer 1' : 'answer 2');
    // The origin hears the whole query.
    expect(cdn.origin.requests[0]?.url).toBe(first);
  });
});

describe('methods:', () => {
  test('HEAD is answered from a stored GET, else by the origin', async () => {
    cdn.says({ 'cache-control': 'max-age=60' });
    expect(await cdn.edge.get('/a', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
    expect(cdn.origin.requests[0]?.method).toBe('HEAD');
    await cdn.edge.get('/a');
    const head = await cdn.edge.get('/a', { method: 'HEAD' });
    expect(head.headers).toMatchObject({ 'content-length': '8' });
    expect(head.headers['cache-status']).toMatch(/hit/);
    expect(cdn.origin.requests).toHaveLength(2);
  });

  test('a POST passes with its body, and what is stored of its target and Location goes', async () => {
    cdn.says({ 'cache-control': 'max-age=60' });
    for (const path of ['/a', '/b', '/c']) await cdn.edge.get(path);
    let body = '';
    cdn.origin.answer(async (request, response) => {
      for await (const chunk of request) body += String(chunk);
      response.writeHead(201, { location: '/b' }).end('made');
    });
    const made = await cdn.edge.get('/a', { method: 'POST', body: 'given' });
    expect(made).toMatchObject({ status: 201, text: 'made' });
    expect(made.headers['cache-status']).toBe('zz-1; fwd=method');
    expect(body).toBe('given');
    cdn.says({ 'cache-control': 'max-age=60' });
    const hits = await Promise.all(['/a', '/b', '/c'].map((path) => cdn.edge.get(path)));
    expect(hits.map(({ headers }) => /hit/.test(String(headers['cache-status'])))).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('a POST that fails invalidates nothing', async () => {
    cdn.says({ 'cache-control': 'max-age=60' });
    await cdn.edge.get('/a');
    cdn.says({}, 500);
    await cdn.edge.get('/a', { method: 'POST', body: 'x' });
    expect((await cdn.edge.get('/a')).headers['cache-status']).toMatch(/hit/);
  });

  test('TRACE is refused', async () => {
    expect(await cdn.edge.get('/a', { method: 'TRACE' })).toMatchObject({ status: 405 });
    expect(cdn.origin.requests).toHaveLength(0);
  });
});

test('what goes to the origin, and what does not', async () => {
  cdn.says({
    connection: 'x-hop, close',
    'x-hop': 'gone',
    'keep-alive': 'timeout=5',
    'surrogate-key': 'a b',
  });
  const reply = await cdn.edge.get('/a', {
    headers: {
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-host': 'evil.example',
      forwarded: 'for=6.6.6.6',
      'x-original-url': '/admin',
      'accept-encoding': 'br;q=1.0, gzip;q=0.8, *;q=0.1',
      connection: 'close, x-mine',
      'x-mine': 'hop',
      'x-kept': 'yes',
      via: '1.0 fred',
      'cdn-loop': 'other; v=1',
      range: 'bytes=0-1',
    },
  });
  expect(reply.headers).not.toHaveProperty('x-hop');
  expect(reply.headers).not.toHaveProperty('surrogate-key');
  const [seen] = cdn.origin.requests;
  expect(seen?.headers).toMatchObject({
    host: 'video.example.com',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'video.example.com',
    'x-forwarded-proto': 'http',
    'accept-encoding': 'gzip',
    'x-kept': 'yes',
    via: '1.0 fred, 1.1 weir-zz-1',
    'cdn-loop': 'other; v=1, weir-zz-1',
  });
  for (const name of ['forwarded', 'x-original-url', 'x-mine', 'range'])
    expect(seen?.headers).not.toHaveProperty(name);
});

test('what an origin would read as a field of ours, or of the cache, does not go to it either', async () => {
  cdn.says({});
  const written = [
    'x_forwarded_host',
    'X-Forwarded_Proto',
    'Accept_Encoding',
    'If_None_Match',
    'Transfer_Encoding',
  ];
  const headers = Object.fromEntries(written.map((name) => [name, 'evil']));
  await cdn.get('/a', { ...headers, x_own: 'yes', 'x-http-method': 'DELETE' });
  const seen = cdn.origin.requests[0]?.headers ?? {};
  for (const name of [...written, 'x-http-method']) expect(seen).not.toHaveProperty(name.toLowerCase());
  expect(seen).toMatchObject({ x_own: 'yes', 'x-forwarded-host': 'video.example.com' });
});
