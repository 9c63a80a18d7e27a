/**
 * A disk that takes nothing any more, for real: the kernel refuses this process every write to a file (RLIMIT_FSIZE), so
 * bodies and the index fail as on a full disk. Clients must not notice.
 */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;
let version: number;

/** `/x/1000` is 1000 bytes. */
const bodyOf = (path: string) => Buffer.alloc(Number(path.split('/').at(-1)), `${path} v${version} `);

beforeEach(async () => {
  version = 1;
  origin = await startScriptOrigin(({ method, url = '' }, response) => {
    if (method !== 'GET') return response.writeHead(204).end();
    const body = bodyOf(url);
    const headers = { 'cache-control': 'max-age=3600', 'content-length': body.length, etag: `"v${version}"` };
    return response.writeHead(200, headers).end(body);
  });
  edge = await startTestEdge({ origin: origin.url, memory: 400_000 });
});

afterEach(async () => {
  takesWrites(true);
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

function takesWrites(is: boolean): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${is ? 'unlimited' : 0}:`]);
}

const status = async (path: string) => String((await edge.get(path)).headers['cache-status']);
const writeErrors = () => edge.metric('store_errors_total', '{operation="write"}');
const onDisk = () => edge.metric('stored_objects', '{tier="disk"}');

async function whole(path: string): Promise<boolean> {
  const reply = await edge.get(path);
  return reply.status === 200 && reply.body.equals(bodyOf(path));
}

test('answers pass through whole, small and large, to all who wait; it is counted', async () => {
  takesWrites(false);
  for (const path of ['/a/1000', '/b/262145', '/c/5000000']) {
    expect(await Promise.all([whole(path), whole(path), whole(path)]), path).toEqual([true, true, true]);
  }
  await eventually(async () => expect(await writeErrors()).toBeGreaterThanOrEqual(3));
  // What is in memory is a hit as ever.
  expect(await status('/a/1000')).toMatch(/; hit/);
  expect(await onDisk()).toBe(0);
  takesWrites(true);
  expect(await whole('/d/5000000')).toBe(true);
  await eventually(async () => expect(await onDisk()).toBe(1));
  expect(await status('/d/5000000')).toMatch(/; hit/);
});

test('what was stored before is served on', async () => {
  expect(await whole('/a/1000')).toBe(true);
  expect(await whole('/b/5000000')).toBe(true);
  await eventually(async () => expect(await onDisk()).toBe(2));
  takesWrites(false);
  for (const path of ['/a/1000', '/b/5000000']) {
    expect(await status(path)).toMatch(/; hit/);
    expect(await whole(path)).toBe(true);
  }
});

test('a newer answer than the one on disk is not forgotten for the old one', async () => {
  expect(await whole('/a/1000')).toBe(true);
  await eventually(async () => expect(await onDisk()).toBe(1));
  takesWrites(false);
  version++;
  edge.clock.advance(4_000_000);
  expect(await whole('/a/1000')).toBe(true);
  // Out of memory with it.
  for (const name of ['p', 'q', 'r', 's']) expect(await whole(`/${name}/200000`)).toBe(true);
  expect(await whole('/a/1000')).toBe(true);
});

test('a purge is in force at once, and acked when it could be written down', async () => {
  for (const path of ['/a/1000', '/b/300000']) expect(await whole(path)).toBe(true);
  await eventually(async () => expect(await onDisk()).toBe(2));
  takesWrites(false);
  version++;
  let acked = false;
  const purge = edge
    .command({ type: 'purge', uid: 'p', domain: 'uid-video', target: { by: 'everything' } })
    .then((result) => {
      acked = true;
      return result;
    });
  for (const path of ['/a/1000', '/b/300000']) expect(await whole(path), path).toBe(true);
  expect(acked).toBe(false);
  // Fetched behind the purge: of use for as long as it is in memory.
  expect(await status('/a/1000')).toMatch(/; hit/);
  takesWrites(true);
  expect(await purge).toMatchObject({ objects: 2 });
  expect(await whole('/b/300000')).toBe(true);
  const state = { state: edge.state, clock: edge.clock };
  await edge.stop();
  edge = await startTestEdge({ origin: origin.url, ...state });
  const again = await edge.command({
    type: 'purge',
    uid: 'p',
    domain: 'uid-video',
    target: { by: 'everything' },
  });
  expect(again).toMatchObject({ objects: 2 });
  expect(await whole('/a/1000')).toBe(true);
});

test('an unsafe method invalidates all the same', async () => {
  expect(await whole('/b/300000')).toBe(true);
  await eventually(async () => expect(await onDisk()).toBe(1));
  takesWrites(false);
  version++;
  expect((await edge.get('/b/300000', { method: 'POST', body: 'x' })).status).toBe(204);
  expect(await whole('/b/300000')).toBe(true);
});
