import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge, type TestEdgeOptions } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

/** `/x/1000` is 1000 bytes. */
beforeEach(async () => {
  origin = await startScriptOrigin(({ url = '' }, response) => {
    const size = Number(url.split('/').at(-1));
    const headers = { 'cache-control': 'max-age=3600', 'content-length': String(size) };
    response.writeHead(200, headers).end(Buffer.alloc(size, url));
  });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const start = async (disk: object, options: Partial<TestEdgeOptions> = {}) => {
  edge = await startTestEdge({ origin: origin.url, settings: { edge: { disk } }, ...options });
};
const status = async (path: string, host?: string) =>
  String((await edge.get(path, { ...(host && { host }) })).headers['cache-status']);
const onDisk = () => edge.metric('stored_objects', '{tier="disk"}');

test('on the second request: a small object is in memory alone until it is used again', async () => {
  await start({ admission: 'secondRequest' });
  await edge.get('/a/1000');
  await edge.get('/b/1000');
  expect(await status('/b/1000')).toMatch(/; hit/);
  await eventually(async () => expect(await onDisk()).toBe(1));
  const { state, clock } = edge;
  await edge.stop();
  await start({ admission: 'secondRequest' }, { state, clock });
  expect(await status('/b/1000')).toMatch(/; hit/);
  expect(await status('/a/1000')).toMatch(/fwd=uri-miss/);
});

test('… a large one goes to its client, and is stored with the second request', async () => {
  await start({ admission: 'secondRequest' });
  expect(await status('/a/300000')).toBe('zz-1; fwd=uri-miss; detail=first-request');
  expect(await onDisk()).toBe(0);
  expect(await status('/a/300000')).toMatch(/stored/);
  await eventually(async () => expect(await onDisk()).toBe(1));
  expect(await status('/a/300000')).toMatch(/; hit/);
  expect(origin.count('/a/300000')).toBe(2);
});

test('… what two want at the same time is asked for twice, and fetched once', async () => {
  await start({ admission: 'secondRequest' });
  await Promise.all([edge.get('/a/300000'), edge.get('/a/300000')]);
  await eventually(async () => expect(await onDisk()).toBe(1));
  expect(origin.count('/a/300000')).toBe(1);
});

test('… and a prefetch is stored at once', async () => {
  await start({ admission: 'secondRequest' });
  await edge.command({
    type: 'prefetch',
    uid: 'f',
    domain: 'uid-video',
    urls: ['http://video.example.com/a/300000'],
    concurrency: 1,
    perSecond: 100,
  });
  await eventually(async () => expect(await onDisk()).toBe(1));
  expect(await status('/a/300000')).toMatch(/; hit/);
});

test('… a purge takes what is in memory alone, too', async () => {
  await start({ admission: 'secondRequest' });
  await edge.get('/a/1000');
  const target = { by: 'everything' } as const;
  const purged = await edge.command({ type: 'purge', uid: 'p', domain: 'uid-video', target });
  expect(purged.objects).toBe(1);
  expect(await status('/a/1000')).toMatch(/fwd=uri-miss/);
});

const other = () => ({
  ...domainOf(origin.url),
  uid: 'uid-other',
  name: 'other',
  hostnames: ['other.example.com'],
});

test('a domain over its quota makes room among its own objects, and metrics say which', async () => {
  const domains = [domainOf(origin.url), other()];
  await start(
    { quotas: [{ domains: ['demo/video'], percent: 30 }] },
    { domains, disk: 10_000_000, memory: 0 },
  );
  await edge.get('/first/1000000', { host: 'other.example.com' });
  for (let index = 0; index < 6; index++) {
    await edge.get(`/${index}/1000000`);
    edge.clock.advance(10_000);
  }
  await eventually(async () =>
    expect(await edge.metric('domain_stored_bytes', '{domain="demo/video"}')).toBe(3_000_000),
  );
  expect(await edge.metric('domain_evictions_total', '{domain="demo/video"}')).toBe(3);
  expect(await edge.metric('domain_stored_bytes', '{domain="demo/other"}')).toBe(1_000_000);
  expect(await status('/first/1000000', 'other.example.com')).toMatch(/; hit/);
  expect(await status('/5/1000000')).toMatch(/; hit/);
  // What could never be kept is not begun.
  expect(await status('/large/4000000')).toMatch(/detail=too-large/);
  expect(await status('/large/4000000', 'other.example.com')).toMatch(/stored/);
});

test('series of a domain that left go', async () => {
  await start({ quotas: [{ domains: ['demo/*'], percent: 10 }] }, { disk: 10_000_000 });
  for (const name of ['a', 'b']) await edge.get(`/${name}/900000`);
  await eventually(async () =>
    expect(await edge.metric('domain_evictions_total', '{domain="demo/video"}')).toBe(1),
  );
  await edge.publish([other()]);
  edge.clock.advance(700_000);
  await eventually(async () => {
    expect(await edge.metric('domain_stored_bytes', '{domain="demo/video"}')).toBe(0);
    expect(await edge.metric('domain_evictions_total', '{domain="demo/video"}')).toBe(0);
    expect(await edge.metric('domains')).toBe(1);
  });
});
