/** The sample origin over a real socket. */
import { createHash } from 'node:crypto';
import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatListenAddress } from '../../lib/listen-address.ts';
import { silentLog } from '../../lib/log.ts';
import { temporaryFolder } from '../testing/run-weir.ts';
import { type SampleOrigin, startSampleOrigin } from './main.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
let folder: string;
let origin: SampleOrigin;
let base: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  origin = await startSampleOrigin({ listen: ANY_PORT, seed: 1, folder, log: silentLog });
  base = `http://${formatListenAddress(origin.address)}`;
});
afterAll(() => origin.stop());

const get = (path: string, headers: Record<string, string> = {}) => fetch(`${base}${path}`, { headers });
const stats = async (path: string) =>
  ((await (await get('/__stats')).json()) as Record<string, Record<string, number>>)[path] ?? {};

test('/ lists every file as a link that leads to it, with its type', async () => {
  const page = await (await get('/')).text();
  const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, link]) => link ?? '');
  expect(links).toContain('video.bin');
  const types: Record<string, string | null> = {};
  for (const link of links) {
    const response = await fetch(`${base}/${link}`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    types[link] = response.headers.get('content-type');
  }
  expect(types).toMatchObject({
    'page.html': 'text/html; charset=utf-8',
    'image.png': 'image/png',
    'video.bin': 'application/octet-stream',
    'hls/playlist.m3u8': 'application/vnd.apple.mpegurl',
    'hls/segment-0.ts': 'video/mp2t',
  });
});

test('a file comes whole, with validators and freshness', async () => {
  const response = await get('/video.bin');
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-length': '50000000',
    'cache-control': 'public, max-age=3600',
    'accept-ranges': 'bytes',
    'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
  });
  const digest = createHash('sha256')
    .update(await response.bytes())
    .digest('hex');
  expect(response.headers.get('etag')).toBe(`"${digest.slice(0, 16)}"`);
});

test.each([
  ['bytes=0-9', 206, 'bytes 0-9/50000000', 10],
  ['bytes=49999990-', 206, 'bytes 49999990-49999999/50000000', 10],
  ['bytes=-5', 206, 'bytes 49999995-49999999/50000000', 5],
  ['bytes=50000000-', 416, 'bytes */50000000', 0],
])('the range %s', async (range, status, contentRange, length) => {
  const response = await get('/video.bin', { range });
  expect(response.status).toBe(status);
  expect(response.headers.get('content-range')).toBe(contentRange);
  expect(await response.bytes()).toHaveLength(length);
});

test('a range is a piece of the whole', async () => {
  const whole = await (await get('/image.png')).bytes();
  const piece = await (await get('/image.png', { range: 'bytes=100-199' })).bytes();
  expect(Buffer.from(piece)).toEqual(Buffer.from(whole.subarray(100, 200)));
});

test('whoever has it already is told so, and a range of another version is not served', async () => {
  const etag = (await get('/page.html')).headers.get('etag') ?? '';
  expect((await get('/page.html', { 'if-none-match': etag })).status).toBe(304);
  expect((await get('/page.html', { 'if-none-match': '"other"' })).status).toBe(200);
  const range = { range: 'bytes=0-3' };
  expect((await get('/page.html', { ...range, 'if-range': etag })).status).toBe(206);
  expect((await get('/page.html', { ...range, 'if-range': '"other"' })).status).toBe(200);
});

test('the image is one that programs can read', async () => {
  const image = Buffer.from(await (await get('/image.png')).bytes());
  expect(image.subarray(1, 4).toString()).toBe('PNG');
  expect([image.readUInt32BE(16), image.readUInt32BE(20)]).toEqual([320, 180]);
  const idat = image.indexOf('IDAT');
  const data = inflateSync(image.subarray(idat + 4, idat + 4 + image.readUInt32BE(idat - 4)));
  expect(data).toHaveLength(180 * (1 + 3 * 320));
});

test('the playlist names segments of whole transport stream packets', async () => {
  const playlist = await (await get('/hls/playlist.m3u8')).text();
  const segments = playlist.split('\n').filter((line) => line.endsWith('.ts'));
  expect(segments).toHaveLength(4);
  for (const segment of segments) {
    const bytes = await (await get(`/hls/${segment}`)).bytes();
    expect(bytes.length % 188).toBe(0);
    expect(bytes.filter((_, index) => index % 188 === 0).every((byte) => byte === 0x47)).toBe(true);
  }
});

test('what must not be stored says so; what is not there is counted with all that is not', async () => {
  expect((await get('/private')).headers.get('cache-control')).toBe('private, no-store');
  const before = await stats('(other)');
  for (const path of ['/nothing', '/nowhere']) expect((await get(path)).status).toBe(404);
  expect(await stats('(other)')).toMatchObject({ requests: (before.requests ?? 0) + 2 });
  expect(await stats('/nothing')).toEqual({});
});

test('requests are counted by path and status', async () => {
  const before = await stats('/page.html');
  await get('/page.html?v=1');
  await get('/page.html', { 'if-none-match': '*' });
  const after = await stats('/page.html');
  expect((after.requests ?? 0) - (before.requests ?? 0)).toBe(2);
  expect((after['304'] ?? 0) - (before['304'] ?? 0)).toBe(1);
});

test('only GET and HEAD', async () => {
  const response = await fetch(`${base}/page.html`, { method: 'POST', body: 'x' });
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('GET, HEAD');
});

test('files are kept for the same seed, and made anew for another one', async () => {
  const file = join(folder, 'video.bin');
  const old = new Date('2020-01-01T00:00:00Z');
  await utimes(file, old, old);
  const etagWith = async (seed: number) => {
    const again = await startSampleOrigin({ listen: ANY_PORT, seed, folder, log: silentLog });
    const response = await fetch(`http://${formatListenAddress(again.address)}/video.bin`, {
      method: 'HEAD',
    });
    await again.stop();
    return response.headers.get('etag');
  };
  const first = (await get('/video.bin', { range: 'bytes=0-0' })).headers.get('etag');
  expect(await etagWith(1)).toBe(first);
  expect((await stat(file)).mtime).toEqual(old);
  expect(await etagWith(2)).not.toBe(first);
  expect((await stat(file)).mtime).not.toEqual(old);
});
