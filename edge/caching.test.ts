import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { KEEP, startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

/** Answers with these headers, and a body that tells which request it was. */
function says(headers: Record<string, string>, status = 200) {
  origin.answer((_request, response) => {
    response.writeHead(status, headers).end(`answer ${origin.requests.length}`);
  });
}

beforeEach(async () => {
  origin = await startScriptOrigin((_request, response) => response.end());
  edge = await startTestEdge({ origin: origin.url });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

test('a miss, then hits from memory, whole and counted', async () => {
  says({ 'cache-control': 'max-age=60', 'content-type': 'text/x-thing', 'x-own': 'kept' });
  const miss = await edge.get('/a?x=1');
  expect(miss).toMatchObject({ status: 200, text: 'answer 1' });
  expect(miss.headers['cache-status']).toMatch(/^zz-1; fwd=uri-miss; ttl=\d+; stored$/);
  edge.clock.advance(7_000);
  const hit = await edge.get('/a?x=1');
  expect(hit).toMatchObject({ status: 200, text: 'answer 1' });
  expect(hit.headers).toMatchObject({
    'content-type': 'text/x-thing',
    'content-length': '8',
    'x-own': 'kept',
    via: '1.1 weir-zz-1',
  });
  expect(Number(hit.headers.age)).toBeGreaterThanOrEqual(7);
  expect(hit.headers['cache-status']).toMatch(/^zz-1; hit; ttl=5\d$/);
  expect(origin.requests).toHaveLength(1);
  expect(await edge.metric('requests_total', '{domain="demo/video",result="hit"}')).toBe(1);
  expect(await edge.metric('requests_total', '{domain="demo/video",result="miss"}')).toBe(1);
  expect(await edge.metric('client_bytes_total', '{domain="demo/video"}')).toBe(16);
  expect(await edge.metric('origin_bytes_total', '{domain="demo/video"}')).toBe(8);
});

test('aliases, host case, port, trailing dot and encoded paths share one object', async () => {
  says({ 'cache-control': 'max-age=60' });
  await edge.get('/d/%41.txt');
  for (const host of ['v2.example.com', 'VIDEO.example.com:8080', 'video.example.com.']) {
    expect((await edge.get('/d/x/../%41.txt', { host })).headers['cache-status']).toMatch(/hit/);
  }
  expect(origin.requests.map(({ url }) => url)).toEqual(['/d/A.txt']);
});

test('stale with a validator: confirmed by 304, its header updated, and fresh again', async () => {
  says({ 'cache-control': 'max-age=10', etag: '"one"', 'x-turn': '1' });
  await edge.get('/a');
  edge.clock.advance(11_000);
  origin.answer((request, response) => {
    expect(request.headers['if-none-match']).toBe('"one"');
    response.writeHead(304, { 'cache-control': 'max-age=10', 'x-turn': '2', etag: '"one"' }).end();
  });
  const confirmed = await edge.get('/a');
  expect(confirmed).toMatchObject({ status: 200, text: 'answer 1' });
  expect(confirmed.headers['x-turn']).toBe('2');
  expect(confirmed.headers['cache-status']).toMatch(/^zz-1; fwd=stale; fwd-status=304; ttl=\d+$/);
  expect((await edge.get('/a')).headers['cache-status']).toMatch(/hit/);
  expect(origin.requests).toHaveLength(2);
});

test('stale, and replaced by a 200', async () => {
  says({ 'cache-control': 'max-age=10', etag: '"one"' });
  await edge.get('/a');
  edge.clock.advance(11_000);
  says({ 'cache-control': 'max-age=10', etag: '"two"' });
  expect((await edge.get('/a')).text).toBe('answer 2');
  expect((await edge.get('/a')).text).toBe('answer 2');
  await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(1));
});

test('a 304 that names another entity tag confirms nothing', async () => {
  says({ 'cache-control': 'max-age=10', etag: '"one"' });
  await edge.get('/a');
  edge.clock.advance(11_000);
  origin.answer((request, response) => {
    const conditional = request.headers['if-none-match'] !== undefined;
    response.writeHead(conditional ? 304 : 200, { etag: '"two"', 'cache-control': 'max-age=10' });
    response.end(conditional ? undefined : 'new');
  });
  expect((await edge.get('/a')).text).toBe('new');
});

describe('not stored:', () => {
  test.each([
    ['no-store', { 'cache-control': 'no-store, max-age=60' }],
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['a cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'a=b' }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: '*' }],
    ['nothing said', {}],
  ])('%s', async (_name, headers) => {
    says(headers);
    await edge.get('/a');
    const again = await edge.get('/a');
    expect(again.text).toBe('answer 2');
    expect(again.headers['cache-status']).toMatch(/fwd=uri-miss; detail=/);
    expect(again.headers['cache-status']).not.toMatch(/stored/);
  });

  test('an answer to Authorization, unless it is said to be for all', async () => {
    const headers = { authorization: 'Basic x' };
    says({ 'cache-control': 'max-age=60' });
    await edge.get('/a', { headers });
    expect((await edge.get('/a')).text).toBe('answer 2');
    says({ 'cache-control': 'public, max-age=60' });
    await edge.get('/b', { headers });
    expect((await edge.get('/b')).text).toBe('answer 3');
  });
});

test('variants by Vary, each stored below one key', async () => {
  origin.answer((request, response) => {
    response.setHeader('vary', 'accept-language');
    response.setHeader('cache-control', 'max-age=60');
    response.end(String(request.headers['accept-language']));
  });
  const get = (language: string) => edge.get('/a', { headers: { 'accept-language': language } });
  expect((await get('de')).text).toBe('de');
  const other = await get('zh');
  expect(other.text).toBe('zh');
  expect(other.headers['cache-status']).toMatch(/fwd=vary-miss/);
  expect((await get('de')).headers['cache-status']).toMatch(/hit/);
  expect((await get('zh')).text).toBe('zh');
  expect(origin.requests).toHaveLength(2);
});

test('variants of a key are bounded', async () => {
  origin.answer((_request, response) => {
    response.setHeader('vary', 'x-any');
    response.setHeader('cache-control', 'max-age=60');
    response.end('x');
  });
  for (let index = 0; index < 70; index++) await edge.get('/a', { headers: { 'x-any': String(index) } });
  await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(64));
  expect((await edge.get('/a', { headers: { 'x-any': '69' } })).headers['cache-status']).toMatch(/hit/);
  expect((await edge.get('/a', { headers: { 'x-any': '0' } })).headers['cache-status']).toMatch(
    /fwd=vary-miss/,
  );
});

test('an encoded answer never goes to a client that cannot read it, Vary or not', async () => {
  origin.answer((request, response) => {
    const gzip = request.headers['accept-encoding'] === 'gzip';
    if (gzip) response.setHeader('content-encoding', 'gzip');
    response.setHeader('cache-control', 'max-age=60');
    response.end(gzip ? 'zipped' : 'plain');
  });
  const get = (coding: string) => edge.get('/a', { headers: { 'accept-encoding': coding } });
  expect((await get('br, gzip;q=0.5, zstd')).text).toBe('zipped');
  expect((await get('gzip;q=0, br')).text).toBe('plain');
  expect((await edge.get('/a')).text).toBe('plain');
  expect((await get('deflate, gzip')).text).toBe('zipped');
  expect(origin.requests).toHaveLength(2);
});

describe('what a request may ask:', () => {
  beforeEach(async () => {
    says({ 'cache-control': 'max-age=60' });
    await edge.get('/a');
    edge.clock.advance(20_000);
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
    expect((await edge.get('/a', { headers: { 'cache-control': control } })).text).toBe(text);
  });

  test('only-if-cached with nothing stored is 504, and asks nobody', async () => {
    const reply = await edge.get('/b', { headers: { 'cache-control': 'only-if-cached' } });
    expect(reply.status).toBe(504);
    expect(origin.requests).toHaveLength(1);
  });

  test('max-stale does not make stale answers fresh', async () => {
    edge.clock.advance(60_000);
    expect((await edge.get('/a', { headers: { 'cache-control': 'max-stale' } })).text).toBe('answer 2');
  });

  test('Pragma counts only without Cache-Control', async () => {
    const ignored = { pragma: 'no-cache', 'cache-control': 'max-age=30' };
    expect((await edge.get('/a', { headers: ignored })).text).toBe('answer 1');
    expect((await edge.get('/a', { headers: { pragma: 'no-cache' } })).text).toBe('answer 2');
  });
});

describe('conditions of clients:', () => {
  const modified = 'Sun, 22 Nov 2026 10:00:00 GMT';
  beforeEach(async () => {
    says({
      'cache-control': 'max-age=60',
      etag: 'W/"one"',
      'last-modified': modified,
      'content-type': 'text/x',
    });
    await edge.get('/a');
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
    const reply = await edge.get('/a', { headers });
    expect(reply.status).toBe(status);
    expect(reply.headers).toHaveProperty('etag', 'W/"one"');
    expect(reply.headers).toHaveProperty('age');
    expect(reply.headers['content-type']).toBe(status === 304 ? undefined : 'text/x');
    expect(reply.text).toBe(status === 304 ? '' : 'answer 1');
    expect(origin.requests).toHaveLength(1);
  });
});

describe('rules:', () => {
  const start = async (...rules: Parameters<typeof startTestEdge>[0]['rules'] & object) => {
    await edge.stop();
    await edge.remove();
    edge = await startTestEdge({ origin: origin.url, rules });
  };
  const ttl = (seconds: number, force = false) => ({ seconds, statuses: [200, 404], force });

  test('the first that matches wins; bypass stores nothing and serves nothing stored', async () => {
    await start(
      { match: { pathPrefix: '/live/' }, bypass: true, query: KEEP },
      { match: {}, bypass: false, ttl: ttl(60), query: KEEP },
    );
    says({});
    await edge.get('/live/a');
    const again = await edge.get('/live/a');
    expect(again.text).toBe('answer 2');
    expect(again.headers['cache-status']).toBe('zz-1; fwd=bypass; detail=rule-1');
    await edge.get('/else');
    expect((await edge.get('/else')).headers['cache-status']).toMatch(/hit; ttl=60/);
  });

  test('ttl replaces the origin’s freshness, browserTtl what browsers hear', async () => {
    await start({ match: { extensions: ['mp4'] }, bypass: false, ttl: ttl(600), browserTtl: 5, query: KEEP });
    says({ 'cache-control': 'max-age=1', expires: 'Thu, 01 Jan 1970 00:00:00 GMT' });
    await edge.get('/a.MP4');
    edge.clock.advance(300_000);
    const hit = await edge.get('/a.MP4');
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
    says({ 'cache-control': 'private', 'set-cookie': 'session=1' });
    await edge.get('/a');
    expect((await edge.get('/a')).text).toBe('answer 2');
    expect((await edge.get('/f')).headers).not.toHaveProperty('set-cookie');
    expect((await edge.get('/f')).text).toBe('answer 3');
  });

  test.each([
    [{ mode: 'Ignore' as const, names: [] }, '/a?x=1', '/a?y=2', true],
    [{ mode: 'Allow' as const, names: ['v'] }, '/a?v=1&x=1', '/a?x=2&v=1', true],
    [{ mode: 'Allow' as const, names: ['v'] }, '/a?v=1', '/a?v=2', false],
    [{ mode: 'Deny' as const, names: ['t'] }, '/a?t=1&v=1', '/a?v=1', true],
    [{ mode: 'Keep' as const, names: [] }, '/a?v=1', '/a?v=1&t=1', false],
  ])('query %o: %s and %s', async (query, first, second, same) => {
    await start({ match: {}, bypass: false, ttl: ttl(60), query });
    says({});
    await edge.get(first);
    expect((await edge.get(second)).text).toBe(same ? 'answer 1' : 'answer 2');
    // The origin hears the whole query.
    expect(origin.requests[0]?.url).toBe(first);
  });
});

describe('methods:', () => {
  test('HEAD is answered from a stored GET, else by the origin', async () => {
    says({ 'cache-control': 'max-age=60' });
    expect(await edge.get('/a', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
    expect(origin.requests[0]?.method).toBe('HEAD');
    await edge.get('/a');
    const head = await edge.get('/a', { method: 'HEAD' });
    expect(head.headers).toMatchObject({ 'content-length': '8' });
    expect(head.headers['cache-status']).toMatch(/hit/);
    expect(origin.requests).toHaveLength(2);
  });

  test('a POST passes with its body, and what is stored of its target and Location goes', async () => {
    says({ 'cache-control': 'max-age=60' });
    for (const path of ['/a', '/b', '/c']) await edge.get(path);
    let body = '';
    origin.answer(async (request, response) => {
      for await (const chunk of request) body += String(chunk);
      response.writeHead(201, { location: '/b' }).end('made');
    });
    const made = await edge.get('/a', { method: 'POST', body: 'given' });
    expect(made).toMatchObject({ status: 201, text: 'made' });
    expect(made.headers['cache-status']).toBe('zz-1; fwd=method');
    expect(body).toBe('given');
    says({ 'cache-control': 'max-age=60' });
    const hits = await Promise.all(['/a', '/b', '/c'].map((path) => edge.get(path)));
    expect(hits.map(({ headers }) => /hit/.test(String(headers['cache-status'])))).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('a POST that fails invalidates nothing', async () => {
    says({ 'cache-control': 'max-age=60' });
    await edge.get('/a');
    says({}, 500);
    await edge.get('/a', { method: 'POST', body: 'x' });
    expect((await edge.get('/a')).headers['cache-status']).toMatch(/hit/);
  });

  test('TRACE is refused', async () => {
    expect(await edge.get('/a', { method: 'TRACE' })).toMatchObject({ status: 405 });
    expect(origin.requests).toHaveLength(0);
  });
});

test('what goes to the origin, and what does not', async () => {
  says({ connection: 'x-hop, close', 'x-hop': 'gone', 'keep-alive': 'timeout=5', 'surrogate-key': 'a b' });
  const reply = await edge.get('/a', {
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
  const [seen] = origin.requests;
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
