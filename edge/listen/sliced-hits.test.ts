/** Hits of objects that lie in slices, on the fast path: held against the ordinary path, and never of what was not found whole. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EdgeRule } from '../../contract/plans/edge-plan.ts';
import { FakeClock } from '../../lib/clock.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { SLICE_BYTES } from '../cache/slice.ts';
import { BLOCK_BYTES } from '../cache/stored-object.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { startTestEdge, type TestEdge } from '../testing/test-edge.ts';

const rules: EdgeRule[] = [{ match: {}, bypass: false, slices: true, query: { mode: 'Keep', names: [] } }];
/** Three slices and a small one, which may lie in memory. */
const SIZE = 3 * SLICE_BYTES + 100_000;
const PATH = '/film';

let origin: ScriptOrigin;
let fast: TestEdge;
let clock: FakeClock;
let version: number;

/** Numbered, so that bytes at the wrong place show. */
function film(): Buffer {
  const body = Buffer.alloc(SIZE, `v${version} `);
  for (let at = 0; at + 4 <= SIZE; at += 4_096) body.writeUInt32BE(at, at);
  return body;
}

beforeEach(async () => {
  version = 1;
  clock = new FakeClock(Date.parse('2026-11-23T08:00:00Z'));
  origin = await startScriptOrigin(({ headers: { range } }, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    const part = film().subarray(Number(from ?? 0), Number(to ?? SIZE) + 1);
    const headers = {
      'cache-control': 'max-age=3600',
      etag: `"v${version}"`,
      date: new Date(clock.now()).toUTCString(),
      'content-length': part.length,
    };
    const last = Number(from) + part.length - 1;
    if (from === undefined) response.writeHead(200, headers).end(part);
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${last}/${SIZE}` }).end(part);
  });
});

afterEach(async () => {
  await fast.stop();
  await fast.remove();
  await origin.stop();
});

/** As a player asks: a connection that may go on. */
const get = (edge: TestEdge, range?: string, more: { method?: string; has?: string } = {}) =>
  edge.get(PATH, {
    method: more.method ?? 'GET',
    headers: {
      connection: 'keep-alive',
      ...(range && { range }),
      ...(more.has && { 'if-none-match': more.has }),
    },
  });

async function filled(options: { fastPath?: false } = {}): Promise<TestEdge> {
  const edge = await startTestEdge({ origin: origin.url, rules, clock, ...options });
  await get(edge);
  await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(4));
  return edge;
}

const fastHits = () => fast.metric('fast_hits_total');

/** Every slice is read and found whole with the first, so the second goes out as it lies there. */
async function isReady(range?: string): Promise<void> {
  await eventually(async () => {
    const before = await fastHits();
    await get(fast, range);
    expect(await fastHits()).toBe(before + 1);
  });
}

describe('the same as on the ordinary path, and taken:', () => {
  let slow: TestEdge;
  const M = SLICE_BYTES;

  beforeEach(async () => {
    fast = await filled();
    slow = await filled({ fastPath: false });
  });

  afterEach(async () => {
    await slow.stop();
    await slow.remove();
  });

  test.each([
    ['inside of a slice', `bytes=${M + 10}-${M + BLOCK_BYTES + 20}`],
    ['across two', `bytes=${M - 5}-${M + 4}`],
    ['of all large ones', `bytes=0-${3 * M - 1}`],
    ['one byte', 'bytes=0-0'],
    ['a slice', `bytes=${2 * M}-${3 * M - 1}`],
    ['inside of the small one', `bytes=${3 * M + 7}-`],
    ['from the end', 'bytes=-5'],
    ['beyond the end', `bytes=${3 * M + 1}-99999999`],
  ])('%s', async (_name, range) => {
    await isReady(range);
    const [quick, ordinary] = [await get(fast, range), await get(slow, range)];
    expect(quick.status).toBe(206);
    expect(quick.headers).toEqual(ordinary.headers);
    expect(quick.body.equals(ordinary.body)).toBe(true);
    const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(quick.headers['content-range'] ?? '') ?? [];
    expect(quick.body.equals(film().subarray(Number(first), Number(last) + 1))).toBe(true);
  });

  test('a HEAD, and what a browser has', async () => {
    for (const [method, has, status] of [
      ['HEAD', undefined, 200],
      ['GET', '"v1"', 304],
    ] as const) {
      const before = await fastHits();
      const asked = { method, ...(has && { has }) };
      const [quick, ordinary] = [await get(fast, undefined, asked), await get(slow, undefined, asked)];
      expect(quick.status).toBe(status);
      expect(quick.headers).toEqual(ordinary.headers);
      expect(await fastHits()).toBe(before + 1);
    }
  });

  test.each([
    ['behind the end', `bytes=${SIZE}-`],
    ['the whole, with its small slice', undefined],
  ])('… but not %s, which is the ordinary path’s', async (_name, range) => {
    const before = await fastHits();
    for (let turn = 0; turn < 2; turn++) {
      const [quick, ordinary] = [await get(fast, range), await get(slow, range)];
      expect(quick.headers).toEqual(ordinary.headers);
      expect(quick.body.equals(ordinary.body)).toBe(true);
    }
    expect(await fastHits()).toBe(before);
  });
});

test('through node:http, parts of files between what is read: every byte, in order', async () => {
  fast = await filled();
  for (const range of [undefined, 'bytes=1000-', `bytes=${SLICE_BYTES - 300_000}-`, undefined]) {
    const { body } = await fast.get(PATH, { headers: { connection: 'close', ...(range && { range }) } });
    expect(body.equals(film().subarray(Number(/\d+/.exec(range ?? '0')?.[0])))).toBe(true);
  }
  expect(await fastHits()).toBe(0);
});

test('a bit that flipped on the disk is found before it is sent, and fetched again', async () => {
  fast = await filled();
  const { state } = fast;
  await fast.stop();
  await flipInEachFile(state);
  origin.requests.length = 0;
  fast = await startTestEdge({ origin: origin.url, rules, state, clock });
  for (let turn = 0; turn < 3; turn++) {
    const range = `bytes=${SLICE_BYTES - 1}-${2 * SLICE_BYTES}`;
    expect((await get(fast, range)).body.equals(film().subarray(SLICE_BYTES - 1, 2 * SLICE_BYTES + 1))).toBe(
      true,
    );
  }
  expect(origin.requests.length).toBe(3);
});

async function flipInEachFile(state: string): Promise<void> {
  const folder = join(state, 'cache', 'objects');
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file);
    bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
    bytes[bytes.length - 1_000] = (bytes[bytes.length - 1_000] ?? 0) ^ 1;
    await writeFile(file, bytes);
  }
}

test('slices of two versions are never put together', async () => {
  fast = await startTestEdge({ origin: origin.url, rules, clock });
  const both = `bytes=${SLICE_BYTES - 5}-${SLICE_BYTES + 4}`;
  await get(fast, 'bytes=0-9');
  version = 2;
  clock.advance(1_000);
  await get(fast, `bytes=${SLICE_BYTES}-${SLICE_BYTES + 9}`);
  await eventually(async () => expect(await fast.metric('stored_objects', '{tier="disk"}')).toBe(2));
  // Each by itself is a hit.
  await isReady('bytes=0-9');
  await isReady(`bytes=${SLICE_BYTES}-${SLICE_BYTES + 9}`);
  await expect(get(fast, both)).rejects.toThrow();
  const reply = await get(fast, both);
  expect(reply.headers.etag).toBe('"v2"');
  expect(reply.body.equals(film().subarray(SLICE_BYTES - 5, SLICE_BYTES + 5))).toBe(true);
});

test('not stale, and not after a purge', async () => {
  fast = await filled();
  const range = 'bytes=5-9';
  await isReady(range);
  origin.requests.length = 0;
  clock.advance(3_700_000);
  expect((await get(fast, range)).headers['cache-status']).toMatch(/fwd=stale/);
  await isReady(range);
  version = 2;
  await fast.command({ type: 'purge', uid: 'p', domain: 'uid-video', target: { by: 'everything' } });
  const reply = await get(fast, range);
  expect(reply.headers['cache-status']).toMatch(/fwd=uri-miss/);
  expect(reply.body.equals(film().subarray(5, 10))).toBe(true);
  expect(origin.requests.length).toBe(2);
});
