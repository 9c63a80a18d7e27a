/** Prefetches from outside: what the origin was asked, what is a hit afterwards, what the command says. */

import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;
let stopTime = () => {};

const SITE = 'http://video.example.com';
const KEPT = { 'cache-control': 'max-age=600' };

beforeEach(async () => {
  origin = await startScriptOrigin((request, response) =>
    response.writeHead(200, KEPT).end(`at ${request.url}`),
  );
  edge = await startTestEdge({ origin: origin.url });
  // Paces and retries go by the edge's clock.
  const timer = setInterval(() => edge.clock.advance(100), 2);
  stopTime = () => clearInterval(timer);
});

afterEach(async () => {
  stopTime();
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

let uids = 0;
const prefetch = (urls: string[], more: { concurrency?: number; perSecond?: number; uid?: string } = {}) =>
  edge.command({
    type: 'prefetch',
    uid: `prefetch-${++uids}`,
    domain: 'uid-video',
    urls: urls.map((url) => (url.startsWith('/') ? SITE + url : url)),
    concurrency: 8,
    perSecond: 1_000,
    ...more,
  });
const isHit = async (path: string, headers = {}) =>
  /zz-1; hit/.test(String((await edge.get(path, { headers })).headers['cache-status']));
const serve = (files: Record<string, { type?: string; body: string }>) =>
  origin.answer((request, response) => {
    const file = files[request.url ?? ''];
    response
      .writeHead(200, { ...KEPT, ...(file?.type && { 'content-type': file.type }) })
      .end(file?.body ?? 'x');
  });

test('what is named is a hit afterwards; what was there is not counted', async () => {
  await edge.get('/a');
  expect(await prefetch(['/a', '/b', '/c?x=1'])).toMatchObject({ objects: 2 });
  for (const path of ['/a', '/b', '/c?x=1']) expect(await isHit(path)).toBe(true);
  expect(await edge.metric('prefetched_urls_total', '{outcome="stored"}')).toBe(2);
  expect(await edge.metric('prefetched_urls_total', '{outcome="there"}')).toBe(1);
  expect(await edge.metric('commands_total', '{type="prefetch"}')).toBe(1);
});

test('of a domain that sends clients to https is as if they had come that way', async () => {
  const certificates = [{ secret: 'certificate.none.json', digest: '0'.repeat(64) }];
  await edge.publish([domainOf(origin.url, { tls: { certificates, redirect: true, minVersion: '1.2' } })]);
  expect(await prefetch(['/a'])).toMatchObject({ objects: 1 });
  expect(origin.requests[0]?.headers['x-forwarded-proto']).toBe('https');
});

test('a large file is whole when it is done', async () => {
  const body = 'x'.repeat(3_000_000);
  serve({ '/big': { body } });
  await prefetch(['/big']);
  expect((await edge.get('/big')).text).toBe(body);
  expect(origin.count('/big')).toBe(1);
});

test('an answer that depends on the coding is fetched for those who take gzip and those who do not', async () => {
  origin.answer((request, response) => {
    const gzip = request.headers['accept-encoding'] === 'gzip';
    response
      .writeHead(200, { ...KEPT, vary: 'accept-encoding', ...(gzip && { 'content-encoding': 'gzip' }) })
      .end(gzip ? gzipSync('text') : 'text');
  });
  await prefetch(['/a']);
  expect(await isHit('/a')).toBe(true);
  expect(await isHit('/a', { 'accept-encoding': 'gzip' })).toBe(true);
});

test('no more at a time than told', async () => {
  const open: ServerResponse[] = [];
  let most = 0;
  let now = 0;
  origin.answer((_request, response) => {
    most = Math.max(most, ++now);
    open.push(response);
    setTimeout(() => {
      now--;
      response.writeHead(200, KEPT).end('x');
    }, 5);
  });
  await prefetch(
    Array.from({ length: 20 }, (_, index) => `/${index}`),
    { concurrency: 3 },
  );
  expect(most).toBe(3);
  expect(origin.requests).toHaveLength(20);
});

test('no more in a second than told', async () => {
  stopTime();
  const urls = Array.from({ length: 10 }, (_, index) => `/${index}`);
  const done = prefetch(urls, { perSecond: 2 });
  await eventually(() => expect(origin.requests).toHaveLength(1));
  edge.clock.advance(1_000);
  await eventually(() => expect(origin.requests).toHaveLength(3));
  edge.clock.advance(10_000);
  expect(await done).toMatchObject({ objects: 10 });
});

test('what fails at first is asked for again', async () => {
  origin.answer((_request, response) =>
    origin.requests.length < 3 ? response.writeHead(503).end() : response.writeHead(200, KEPT).end('x'),
  );
  expect(await prefetch(['/a'])).toMatchObject({ objects: 1 });
  expect(origin.requests).toHaveLength(3);
});

test('what cannot be stored is named, the rest is stored, and it is not asked for again', async () => {
  origin.answer((request, response) => {
    if (request.url === '/404') response.writeHead(404).end();
    else response.writeHead(200, request.url === '/private' ? { 'cache-control': 'private' } : KEPT).end('x');
  });
  const failure = await prefetch(['/404', '/private', '/a', 'http://other.example.com/a']).catch(String);
  expect(failure).toContain('3 of 4 URLs are not stored');
  expect(failure).toContain(`${SITE}/404: status 404`);
  expect(await isHit('/a')).toBe(true);
  expect(origin.count('/404')).toBe(1);
});

test('a second sending while it runs, and one after it, change nothing', async () => {
  const both = await Promise.all([prefetch(['/a'], { uid: 'same' }), prefetch(['/a'], { uid: 'same' })]);
  expect(both.map(({ objects }) => objects)).toEqual([1, 1]);
  expect((await prefetch(['/a'], { uid: 'same' })).objects).toBe(1);
  expect(origin.requests).toHaveLength(1);
});

test('a stop ends it', async () => {
  origin.answer(() => {});
  const done = expect(prefetch(['/a', '/b'])).rejects.toThrow();
  await eventually(() => expect(origin.requests.length).toBeGreaterThan(0));
  await edge.stop();
  await done;
  edge = await startTestEdge({ origin: origin.url, state: edge.state });
});

describe('playlists:', () => {
  test('HLS: media playlists, segments and maps, but nothing of other hosts', async () => {
    serve({
      '/hls/main.m3u8': {
        body: '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI="audio.m3u8"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/v.m3u8\n',
      },
      '/hls/low/v.m3u8': {
        type: 'application/vnd.apple.mpegurl',
        body: '#EXTM3U\r\n#EXT-X-MAP:URI="init.mp4"\r\n#EXT-X-KEY:METHOD=AES-128,URI="key"\r\n#EXTINF:4,\r\n1.m4s\r\n#EXTINF:4,\r\nhttp://v2.example.com/hls/low/2.m4s\r\nhttp://other.example.com/3.m4s\r\n',
      },
      '/hls/audio.m3u8': { body: '#EXTM3U\n/hls/a/1.aac' },
    });
    expect(await prefetch(['/hls/main.m3u8'])).toMatchObject({ objects: 7 });
    const paths = origin.requests.map(({ url }) => String(url)).toSorted();
    expect(paths).toEqual(
      ['a/1.aac', 'audio.m3u8', 'low/1.m4s', 'low/2.m4s', 'low/init.mp4', 'low/v.m3u8', 'main.m3u8'].map(
        (path) => `/hls/${path}`,
      ),
    );
    expect(await isHit('/hls/low/2.m4s')).toBe(true);
  });

  test('one that is compressed, and one that was in the cache already', async () => {
    origin.answer((request, response) => {
      if (request.url !== '/m.m3u8') return response.writeHead(200, KEPT).end('x');
      return response.writeHead(200, { ...KEPT, 'content-encoding': 'gzip' }).end(gzipSync('#EXTM3U\n1.ts'));
    });
    await edge.get('/m.m3u8', { headers: { 'accept-encoding': 'gzip' } });
    await prefetch(['/m.m3u8']).catch(() => {});
    expect(await isHit('/1.ts')).toBe(true);
  });

  test('DASH: the segments of each representation', async () => {
    serve({
      '/dash/m.mpd': {
        type: 'application/dash+xml',
        body: `<?xml version="1.0"?><MPD type="static" mediaPresentationDuration="PT10S"><Period>
          <AdaptationSet><SegmentTemplate media="$RepresentationID$/$Number%03d$.m4s" initialization="$RepresentationID$/i.mp4" duration="4" timescale="1"/>
          <Representation id="v1" bandwidth="1"/></AdaptationSet></Period></MPD>`,
      },
    });
    expect(await prefetch(['/dash/m.mpd'])).toMatchObject({ objects: 5 });
    expect(await isHit('/dash/v1/003.m4s')).toBe(true);
    expect(origin.count('/dash/v1/004.m4s')).toBe(0);
  });
});
