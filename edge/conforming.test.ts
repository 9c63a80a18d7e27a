/** Single sentences of RFC 9110, RFC 9111 and RFC 9213, over sockets; `bench/conformance` runs the public suite. */
import type { ServerResponse } from 'node:http';
import { beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { rawExchange } from './testing/raw-exchange.ts';
import { scriptedCdn } from './testing/scripted-cdn.ts';

const cdn = scriptedCdn();

const head = (path: string) => cdn.edge.get(path, { method: 'HEAD' });

describe('which directives count:', () => {
  test.each([
    [
      'CDN-Cache-Control before Cache-Control',
      { 'cdn-cache-control': 'max-age=60', 'cache-control': 'no-store' },
      true,
    ],
    ['… and before Expires', { 'cdn-cache-control': 'max-age=60', expires: '0' }, true],
    ['… also when it forbids', { 'cdn-cache-control': 'no-store', 'cache-control': 'max-age=60' }, false],
    [
      'one that does not parse is not there',
      { 'cdn-cache-control': 'max-age=60, &&', 'cache-control': 'no-store' },
      false,
    ],
    [
      'Surrogate-Control before Cache-Control',
      { 'surrogate-control': 'max-age=60', 'cache-control': 'no-store' },
      true,
    ],
    [
      '… but not when it names another',
      { 'surrogate-control': 'max-age=60;other', 'cache-control': 'no-store' },
      false,
    ],
    [
      '… and not before CDN-Cache-Control',
      { 'surrogate-control': 'no-store', 'cdn-cache-control': 'max-age=60' },
      true,
    ],
    ['Cache-Control in two fields', { 'cache-control': ['max-age=60', 'no-store'] }, false],
    ['what stands in quotes is no directive', { 'cache-control': 'max-age=60, x="no-store"' }, true],
    ['a space around = makes it invalid, and so stale', { 'cache-control': 'max-age = 60' }, false],
    ['two lifetimes: the shorter', { 'cache-control': 'max-age=0, max-age=60' }, false],
    [
      'a 2xx nobody knows, with explicit freshness',
      { 'cache-control': 'max-age=60', ':status': '299' },
      true,
    ],
    ['a 5xx with explicit freshness', { 'cache-control': 'max-age=60', ':status': '503' }, true],
  ])('%s', async (_name, given: Record<string, string | string[]>, hit) => {
    const { ':status': status = '200', ...headers } = given;
    cdn.says(headers, Number(status));
    await cdn.get('/a');
    const again = await cdn.get('/a');
    expect(again.text).toBe(hit ? 'answer 1' : 'answer 2');
    expect(again.headers).not.toHaveProperty('surrogate-control');
    expect(cdn.origin.requests).toHaveLength(hit ? 1 : 2);
  });
});

test('Accept-Language selects by what it means, not by how it is written (RFC 9111 4.1)', async () => {
  cdn.says({ 'cache-control': 'max-age=60', vary: 'Accept-Language' });
  await cdn.get('/a', { 'accept-language': 'en, de;q=0.5' });
  for (const same of ['EN,DE;q=0.50', 'de; q=0.5 , en', 'en;q=1.0, de;q=0.5']) {
    expect((await cdn.get('/a', { 'accept-language': same })).text).toBe('answer 1');
  }
  expect((await cdn.get('/a', { 'accept-language': 'de, en;q=0.5' })).text).toBe('answer 2');
  expect(cdn.origin.requests[0]?.headers['accept-language']).toBe('en, de;q=0.5');
});

test('without Last-Modified, If-Modified-Since is held against Date (RFC 9111 4.3.2)', async () => {
  const made = new Date(cdn.edge.clock.now()).toUTCString();
  cdn.says({ 'cache-control': 'max-age=60', date: made });
  await cdn.get('/a');
  expect(await cdn.get('/a', { 'if-modified-since': made })).toMatchObject({ status: 304, text: '' });
  const before = new Date(cdn.edge.clock.now() - 60_000).toUTCString();
  expect(await cdn.get('/a', { 'if-modified-since': before })).toMatchObject({
    status: 200,
    text: 'answer 1',
  });
});

test('a 304 updates what it may (RFC 9111 3.2)', async () => {
  cdn.says({
    'cache-control': 'max-age=10',
    etag: '"a"',
    'content-type': 'text/plain',
    'content-md5': 'one',
    'x-a': '1',
  });
  await cdn.get('/a');
  cdn.edge.clock.advance(11_000);
  cdn.origin.answer((_request, response) => {
    response.writeHead(304, {
      'cache-control': 'max-age=60',
      etag: '"a"',
      'content-type': 'text/html',
      'content-md5': 'two',
      'content-length': '99',
      'x-a': ['2', '3'],
      connection: 'x-hop',
      'x-hop': 'gone',
    });
    response.end();
  });
  for (const turn of ['confirmed', 'hit']) {
    const reply = await cdn.get('/a');
    expect(reply, turn).toMatchObject({ status: 200, text: 'answer 1' });
    expect(reply.headers, turn).toMatchObject({
      'content-type': 'text/html',
      'content-md5': 'one',
      'content-length': '8',
      'x-a': '2, 3',
      'cache-control': 'max-age=60',
    });
    expect(reply.headers, turn).not.toHaveProperty('x-hop');
  }
  expect(cdn.origin.requests).toHaveLength(2);
});

test('bytes above ASCII in a field go through as they came, and compare', async () => {
  cdn.origin.answer((_request, response) => {
    response
      .writeHead(200, { 'cache-control': 'max-age=60', etag: '"\u00fc"', 'x-name': '\u00c3\u00bc' })
      .end('x');
  });
  const field = 'GET /a HTTP/1.1\r\nHost: video.example.com\r\nConnection: close\r\n';
  for (const turn of ['miss', 'hit']) {
    expect(await rawExchange(cdn.edge.port, `${field}\r\n`), turn).toMatch(
      /\r\netag: "\u00fc"\r\nx-name: \u00c3\u00bc\r\n/,
    );
  }
  expect(await rawExchange(cdn.edge.port, `${field}If-None-Match: "\u00fc"\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 304 /,
  );
});

describe('HEAD (RFC 9111 4.3.5):', () => {
  beforeEach(async () => {
    cdn.says({ 'cache-control': 'max-age=10', etag: '"a"', 'x-old': '1' });
    await cdn.get('/a');
    cdn.edge.clock.advance(11_000);
  });
  const headSays = (headers: Record<string, string>) =>
    cdn.origin.answer((_request, response) => {
      response.writeHead(200, headers).end();
    });

  test('its 200 freshens the stored answer, and is answered with all that is known', async () => {
    headSays({ 'cache-control': 'max-age=60', etag: '"a"', 'x-new': '2', 'content-length': '8' });
    const told = await head('/a');
    expect(told.headers).toMatchObject({ 'x-old': '1', 'x-new': '2', 'content-length': '8' });
    expect(told.headers['cache-status']).toMatch(/^zz-1; fwd=stale; fwd-status=200; ttl=\d+$/);
    const hit = await cdn.get('/a');
    expect(hit).toMatchObject({ status: 200, text: 'answer 1' });
    expect(hit.headers).toMatchObject({ 'x-new': '2', 'cache-status': expect.stringMatching(/hit/) });
    expect(cdn.origin.requests.map(({ method }) => method)).toEqual(['GET', 'HEAD']);
  });

  test.each([
    ['another entity tag', { etag: '"b"' }],
    ['another length', { etag: '"a"', 'content-length': '9' }],
    ['what may not be shared any more', { etag: '"a"', 'cache-control': 'private' }],
    ['a cookie', { etag: '"a"', 'cache-control': 'max-age=60', 'set-cookie': 'a=b' }],
  ])('%s: what is stored is stale', async (_name, headers: Record<string, string>) => {
    // Fresh again, so that only the HEAD can make it stale.
    cdn.says({ 'cache-control': 'max-age=600', etag: '"a"' });
    const fresh = await cdn.get('/a');
    headSays(headers);
    const told = await cdn.edge.get('/a', { method: 'HEAD', headers: { 'cache-control': 'no-cache' } });
    expect(told.headers['x-old']).toBeUndefined();
    cdn.says({ 'cache-control': 'max-age=600', etag: '"c"' });
    expect((await cdn.get('/a')).text).not.toBe(fresh.text);
  });

  test.each([301, 404])('what was a %d is none any more, and is not made fresh', async (status) => {
    cdn.says({ 'cache-control': 'max-age=10', location: '/b' }, status);
    expect((await cdn.get('/was')).status).toBe(status);
    cdn.edge.clock.advance(11_000);
    cdn.says({ 'cache-control': 'max-age=60' });
    expect((await head('/was')).status).toBe(200);
    expect(await cdn.get('/was')).toMatchObject({ status: 200, text: 'answer 4' });
  });

  test('one whose client is named, or that ran across a purge, changes nothing', async () => {
    headSays({ 'cache-control': 'max-age=60', etag: '"a"' });
    await cdn.edge.get('/a', { method: 'HEAD', headers: { authorization: 'x' } });
    expect((await cdn.get('/a')).headers['cache-status']).toMatch(/fwd=stale/);
    const held = Promise.withResolvers<ServerResponse>();
    cdn.edge.clock.advance(61_000);
    cdn.origin.answer((_request, response) => held.resolve(response));
    const asked = head('/a');
    const response = await held.promise;
    const everything = { by: 'everything' } as const;
    await cdn.edge.command({ type: 'purge', uid: 'p', domain: 'uid-video', target: everything, soft: true });
    response.writeHead(200, { 'cache-control': 'max-age=600', etag: '"a"' }).end();
    await asked;
    cdn.says({ 'cache-control': 'max-age=60' });
    expect((await cdn.get('/a')).headers['cache-status']).toMatch(/fwd=stale/);
  });
});

describe('interim answers (RFC 9110 15.2):', () => {
  beforeEach(() => {
    cdn.origin.answer((request, response) => {
      response.writeProcessing();
      response.writeInformation(103, {
        link: '</a.css>; rel=preload',
        'x-own': 'yes',
        connection: 'x-hop',
        'x-hop': '1',
      });
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end(request.url);
    });
  });
  const ask = (version = '1.1') =>
    rawExchange(
      cdn.edge.port,
      `GET /a HTTP/${version}\r\nHost: video.example.com\r\nConnection: close\r\n\r\n`,
    );

  test('102 and 103 are passed on, and only the last answer is stored', async () => {
    const first = await ask();
    expect(first).toMatch(
      /^HTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>; rel=preload\r\nx-own: yes\r\n\r\nHTTP\/1\.1 200 OK/,
    );
    expect(await ask()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*cache-status: zz-1; hit/i);
    expect(cdn.origin.requests).toHaveLength(1);
  });

  test('HTTP/1.0 does not know them', async () => {
    expect(await ask('1.0')).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test('also where the cache has no part', async () => {
    const posted =
      'POST /a HTTP/1.1\r\nHost: video.example.com\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx';
    expect(await rawExchange(cdn.edge.port, posted)).toMatch(
      /HTTP\/1\.1 103 Early Hints[\s\S]*HTTP\/1\.1 200 OK/,
    );
  });
});

test('trailers are dropped (RFC 9110 6.5.1)', async () => {
  cdn.origin.answer((_request, response) => {
    response.writeHead(200, {
      'cache-control': 'max-age=60',
      trailer: 'x-sum',
      'transfer-encoding': 'chunked',
    });
    response.write('hello');
    response.addTrailers({ 'x-sum': '1' });
    response.end();
  });
  const ask = 'GET /a HTTP/1.1\r\nHost: video.example.com\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n';
  for (const turn of ['miss', 'hit']) {
    const answer = await rawExchange(cdn.edge.port, ask);
    expect(answer, turn).toMatch(/hello/);
    expect(answer, turn).not.toMatch(/x-sum|trailer/i);
  }
  expect(cdn.origin.requests[0]?.headers).not.toHaveProperty('te');
});

describe('an answer that breaks off (RFC 9111 3.3, 3.4):', () => {
  const whole = Buffer.from(Array.from({ length: 900_000 }, (_, at) => at % 251));
  /** The first request ends after 500 000 bytes, whatever comes then is scripted. */
  const breaksOff = (etag: string, rest: (first: number, response: ServerResponse) => void) =>
    cdn.origin.answer((request, response) => {
      const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
      if (first !== undefined) return rest(Number(first), response);
      response.writeHead(200, { 'cache-control': 'max-age=60', etag, 'content-length': whole.length });
      response.write(whole.subarray(0, 500_000), () => setTimeout(() => response.destroy(), 50));
    });

  /** Nothing but the range says how long it is. */
  const inChunks = (more: number) => (first: number, response: ServerResponse) => {
    const range = `bytes ${first}-${whole.length - 1}/${whole.length}`;
    response.writeHead(206, { etag: '"a"', 'content-range': range, 'transfer-encoding': 'chunked' });
    return response.end(Buffer.concat([whole, whole]).subarray(first, whole.length + more));
  };

  test('is gone on with where the origin has the very same, for all who wait, and stored', async () => {
    breaksOff('"a"', (first, response) => {
      response.writeHead(206, {
        etag: '"a"',
        'content-range': `bytes ${first}-${whole.length - 1}/${whole.length}`,
        'content-length': whole.length - first,
      });
      response.end(whole.subarray(first));
    });
    const replies = await Promise.all([cdn.get('/a'), cdn.get('/a')]);
    for (const { body } of replies) expect(body.equals(whole)).toBe(true);
    // Clients have the last byte a moment before the store has.
    await eventually(async () => expect((await cdn.get('/a')).headers['cache-status']).toMatch(/hit/));
    expect(cdn.origin.requests).toHaveLength(2);
    expect(cdn.origin.requests[1]?.headers).toMatchObject({ 'if-range': '"a"' });
  });

  test.each([
    [
      'it is another one',
      '"a"',
      (_first: number, response: ServerResponse) => response.writeHead(200, { etag: '"b"' }).end('new'),
    ],
    [
      'the range is another one',
      '"a"',
      (_first: number, response: ServerResponse) =>
        response
          .writeHead(206, { etag: '"a"', 'content-range': `bytes 0-9/${whole.length}` })
          .end(whole.subarray(0, 10)),
    ],
    ['it has a byte less than its range', '"a"', inChunks(-1)],
    ['it has a byte more than its range', '"a"', inChunks(1)],
    [
      'its validator is weak',
      'W/"a"',
      (_first: number, response: ServerResponse) => response.writeHead(500).end(),
    ],
  ])('%s: broken off for the client as well, and not stored', async (_name, etag, rest) => {
    breaksOff(etag, rest);
    await expect(cdn.get('/a')).rejects.toThrow();
    cdn.origin.answer((_request, response) => response.end('again'));
    expect((await cdn.get('/a')).text).toBe('again');
  });
});
