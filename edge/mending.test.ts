/** A large body that is damaged where an answer has come to already: the client gets the rest all the same, or none of it. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EdgeRule } from '../contract/plans/edge-plan.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { BLOCK_BYTES } from './cache/stored-object.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { startTestEdge, type TestEdge, type TestEdgeOptions } from './testing/test-edge.ts';

const SIZE = 5.5 * BLOCK_BYTES;
/** In the fourth block. */
const DAMAGED = 3.5 * BLOCK_BYTES;
const SLICED: EdgeRule = { match: {}, bypass: false, slices: true, query: { mode: 'Keep', names: [] } };

let origin: ScriptOrigin;
let edge: TestEdge;
let version: number;

const bodyOf = () => {
  const body = Buffer.alloc(SIZE, `v${version} `);
  for (let at = 0; at < SIZE; at += 4_096) body.writeUInt32BE(at, at);
  return body;
};

beforeEach(async () => {
  version = 1;
  origin = await startScriptOrigin(({ headers: { range } }, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    const part = bodyOf().subarray(Number(from ?? 0), Number(to ?? SIZE) + 1);
    const headers = { 'cache-control': 'max-age=3600', etag: `"v${version}"`, 'content-length': part.length };
    const last = Number(from) + part.length - 1;
    if (from === undefined) response.writeHead(200, headers).end(part);
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${last}/${SIZE}` }).end(part);
  });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

/** `/a` is stored, and one bit of it is another one by now. */
async function damaged(options: Partial<TestEdgeOptions> = {}, objects = 1): Promise<void> {
  edge = await startTestEdge({ origin: origin.url, ...options });
  expect((await edge.get('/a')).body.equals(bodyOf())).toBe(true);
  await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(objects));
  const { state, clock } = edge;
  await edge.stop();
  await flip(state);
  edge = await startTestEdge({ origin: origin.url, ...options, state, clock });
}

async function flip(state: string): Promise<void> {
  const folder = join(state, 'cache', 'objects');
  const mark = bodyOf().subarray(DAMAGED, DAMAGED + 4);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file);
    const at = bytes.indexOf(mark);
    if (at < 0) continue;
    bytes[at + 100] = (bytes[at + 100] ?? 0) ^ 1;
    await writeFile(file, bytes);
    return;
  }
  throw new Error('no file has the block');
}

const readErrors = () => edge.metric('store_errors_total', '{operation="read"}');

test('all who read it get the whole, from one fetch, and the next ones a hit', async () => {
  await damaged();
  const replies = await Promise.all([edge.get('/a'), edge.get('/a'), edge.get('/a')]);
  for (const { status, body } of replies) {
    expect(status).toBe(200);
    expect(body.equals(bodyOf())).toBe(true);
  }
  expect(origin.requests).toHaveLength(2);
  expect(await readErrors()).toBeGreaterThanOrEqual(1);
  const again = await edge.get('/a');
  expect(again.headers['cache-status']).toMatch(/; hit/);
  expect(again.body.equals(bodyOf())).toBe(true);
});

test('ranges: one of several blocks, and two in one answer', async () => {
  await damaged();
  const [first, last] = [DAMAGED - BLOCK_BYTES, DAMAGED + BLOCK_BYTES];
  const [one, two] = await Promise.all([
    edge.get('/a', { headers: { range: `bytes=${first}-${last}` } }),
    edge.get('/a', { headers: { range: `bytes=0-9,${DAMAGED}-${DAMAGED + 9}` } }),
  ]);
  expect(one.status).toBe(206);
  expect(one.body.equals(bodyOf().subarray(first, last + 1))).toBe(true);
  expect(two.status).toBe(206);
  expect(two.body.includes(bodyOf().subarray(DAMAGED, DAMAGED + 10))).toBe(true);
  expect(origin.requests).toHaveLength(2);
});

test('what lies in slices: one of them is fetched again', async () => {
  await damaged({ rules: [SLICED] }, 2);
  expect((await edge.get('/a')).body.equals(bodyOf())).toBe(true);
  expect(origin.requests).toHaveLength(3);
  expect(await readErrors()).toBe(1);
});

test('where the origin has something else by now, the transfer breaks off, and the next one gets that', async () => {
  await damaged();
  version++;
  await expect(edge.get('/a')).rejects.toThrow();
  expect((await edge.get('/a')).body.equals(bodyOf())).toBe(true);
});

test('… and where there is no origin, it breaks off', async () => {
  await damaged();
  await origin.stop();
  await expect(edge.get('/a')).rejects.toThrow();
  expect((await edge.get('/a')).status).toBe(502);
});
