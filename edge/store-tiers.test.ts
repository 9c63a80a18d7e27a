import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { startTestEdge, type TestEdge, type TestEdgeOptions } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

/** `/x/1000` is 1000 bytes. */
beforeEach(async () => {
  origin = await startScriptOrigin((request, response) => {
    const size = Number(request.url?.split('/').at(-1));
    const headers = { 'cache-control': 'max-age=3600', 'content-length': String(size) };
    response.writeHead(200, headers).end(Buffer.alloc(size, request.url));
  });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const start = async (options: Partial<TestEdgeOptions> = {}) => {
  edge = await startTestEdge({ origin: origin.url, ...options });
};
const restart = async () => {
  await edge.stop();
  await start({ state: edge.state, clock: edge.clock });
};
const status = async (path: string) => String((await edge.get(path)).headers['cache-status']);
const stored = async (tier: string) => await edge.metric('stored_objects', `{tier="${tier}"}`);

async function bodyFiles(state = edge.state): Promise<string[]> {
  const names = await readdir(join(state, 'cache', 'objects'), { recursive: true, withFileTypes: true });
  return names.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

describe.each([
  ['small', 1_000],
  ['large', 1_000_000],
])('a %s object', (_name, size) => {
  const path = `/x/${size}`;

  test('is kept over a restart, byte for byte', async () => {
    await start();
    const { body } = await edge.get(path);
    await restart();
    const hit = await edge.get(path);
    expect(hit.headers['cache-status']).toMatch(/hit/);
    expect(hit.body.equals(body)).toBe(true);
    expect(origin.requests).toHaveLength(1);
  });

  test.each([
    [
      'a flipped bit',
      async (file: string) => {
        const bytes = await readFile(file);
        bytes[10] = (bytes[10] ?? 0) ^ 1;
        await writeFile(file, bytes);
      },
    ],
    ['a torn write', (file: string) => truncate(file, 500)],
    ['a lost file', (file: string) => rm(file)],
  ])('with %s is found out, counted and fetched again', async (_fault, damage) => {
    await start();
    const { body } = await edge.get(path);
    await eventually(async () => expect(await stored('disk')).toBe(1));
    await edge.stop();
    const [file = ''] = await bodyFiles();
    await damage(file);
    await start({ state: edge.state, clock: edge.clock });
    const reply = await edge.get(path);
    expect(reply.status).toBe(200);
    expect(reply.body.equals(body)).toBe(true);
    const again = await edge.get(path);
    expect(again.body.equals(body)).toBe(true);
    expect(origin.requests).toHaveLength(2);
    expect(await edge.metric('store_errors_total', '{operation="read"}')).toBeGreaterThanOrEqual(1);
  });
});

test('after a crash: what was stored is there, what was purged is not, what nobody owns is removed', async () => {
  await start();
  for (const path of ['/a/1000', '/b/1000']) await edge.get(path);
  await eventually(async () => expect(await stored('disk')).toBe(2));
  await edge.command({
    type: 'purge',
    uid: 'p',
    domain: 'uid-video',
    target: { by: 'urls', urls: ['http://video.example.com/a/1000'] },
  });
  // What a process leaves that is killed now.
  const crashed = await mkdtemp(join(tmpdir(), 'weir-crashed-'));
  await cp(edge.state, crashed, { recursive: true });
  await edge.stop();
  await edge.remove();
  const orphan = join(crashed, 'cache', 'objects', 'ab', 'abababababababababababab');
  await writeFile(orphan, 'half a body');
  await start({ state: crashed, clock: edge.clock });
  expect(await status('/b/1000')).toMatch(/hit/);
  expect(await status('/a/1000')).toMatch(/fwd=uri-miss/);
  await eventually(async () => expect(await bodyFiles()).not.toContain(orphan));
});

test('the disk tier keeps to its limit: the least recently used go, their files too', async () => {
  await start({ disk: 5_000_000, memory: 0 });
  for (let index = 0; index < 8; index++) {
    await edge.get(`/${index}/1000000`);
    // Used again and again, so it stays.
    if (index > 0) expect(await status('/0/1000000')).toMatch(/hit/);
    edge.clock.advance(10_000);
  }
  await eventually(async () => expect(await edge.metric('evictions_total', '{tier="disk"}')).toBe(3));
  await eventually(async () => expect(await edge.metric('stored_bytes', '{tier="disk"}')).toBe(5_000_000));
  expect(await status('/0/1000000')).toMatch(/hit/);
  expect(await status('/7/1000000')).toMatch(/hit/);
  expect(await status('/1/1000000')).toMatch(/miss/);
  await eventually(async () => expect(await bodyFiles()).toHaveLength(5));
});

test('what is being fetched takes room on the disk, too', async () => {
  await start({ disk: 5_000_000 });
  for (let index = 0; index < 4; index++) {
    await edge.get(`/${index}/1000000`);
    await eventually(async () => expect(await stored('disk')).toBe(index + 1));
    edge.clock.advance(1_000);
  }
  let open: ServerResponse | undefined;
  origin.answer((_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60', 'content-length': '4000000' });
    response.write(Buffer.alloc(3_500_000));
    open = response;
  });
  const reply = edge.get('/new');
  await eventually(async () => expect(await edge.metric('stored_bytes', '{tier="disk"}')).toBe(1_000_000));
  open?.end(Buffer.alloc(500_000));
  expect((await reply).body).toHaveLength(4_000_000);
  await eventually(async () => expect(await edge.metric('stored_bytes', '{tier="disk"}')).toBe(5_000_000));
  // Nothing of it is counted twice, or for ever.
  edge.clock.advance(1_000);
  origin.answer((_request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=60' }).end('small'),
  );
  await edge.get('/small');
  await eventually(async () => expect(await edge.metric('stored_bytes', '{tier="disk"}')).toBe(4_000_005));
});

test('the memory tier keeps to its limit, and what had to go is a hit from disk', async () => {
  await start({ memory: 1_000_000 });
  for (let index = 0; index < 10; index++) await edge.get(`/${index}/200000`);
  expect(await edge.metric('stored_bytes', '{tier="memory"}')).toBeLessThanOrEqual(1_000_000);
  expect(await edge.metric('evictions_total', '{tier="memory"}')).toBeGreaterThanOrEqual(5);
  for (let index = 0; index < 10; index++) expect(await status(`/${index}/200000`)).toMatch(/hit/);
});

test('an object larger than the disk tier passes, and is not stored', async () => {
  await start({ disk: 1_000_000 });
  const reply = await edge.get('/x/3000000');
  expect(reply.body).toHaveLength(3_000_000);
  expect(reply.headers['cache-status']).toMatch(/detail=too-large/);
  expect(await bodyFiles()).toEqual([]);
});

test('… also when its length is not known before', async () => {
  await start({ disk: 1_000_000 });
  origin.answer((_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' });
    for (let index = 0; index < 30; index++) response.write(Buffer.alloc(100_000, index));
    response.end();
  });
  const [one, two] = await Promise.all([edge.get('/a'), edge.get('/a')]);
  for (const { body } of [one, two]) {
    expect(body).toHaveLength(3_000_000);
    expect(body[2_999_999]).toBe(29);
  }
  expect(await edge.metric('store_errors_total', '{operation="write"}')).toBeGreaterThanOrEqual(1);
  await eventually(async () => expect(await bodyFiles()).toEqual([]));
});

test('a disk that fails makes answers pass through, whole, and is counted', async () => {
  await start();
  await rm(join(edge.state, 'cache', 'objects'), { recursive: true });
  for (const path of ['/x/1000', '/x/5000000']) {
    expect((await edge.get(path)).body.equals(Buffer.alloc(Number(path.slice(3)), path))).toBe(true);
  }
  // Small ones live in memory still.
  expect(await status('/x/1000')).toMatch(/hit/);
  expect(await status('/x/5000000')).toMatch(/miss/);
  expect(await edge.metric('store_errors_total', '{operation="write"}')).toBeGreaterThanOrEqual(2);
});
