/**
 * Disks that fail for real, below an edge in a process of its own: one that is full (a small tmpfs, so ENOSPC is the
 * kernel's), and one whose reads, writes and syncs all end in EIO (testing/failing-io.c before the C library). Clients get
 * whole answers all the while, it is counted, and the cache is one again when the disk is.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type Around, type EdgeProcess, edgeProcess } from './testing/edge-process.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { fetchFrom } from './testing/test-edge.ts';

const host = 'video.example.com';
const WITHIN_MS = 60_000;

let origin: ScriptOrigin;
let edge: EdgeProcess;
let tools: string;

const bodyOf = (path: string) => Buffer.alloc(Number(path.split('/').at(-1)), `${path} `);

beforeAll(async () => {
  tools = await mkdtemp(join(tmpdir(), 'weir-failing-io-'));
  if (noCompiler !== undefined) return;
  const source = join(import.meta.dirname, 'testing/failing-io.c');
  execFileSync('cc', ['-shared', '-fPIC', '-o', join(tools, 'failing-io.so'), source, '-ldl']);
});
afterAll(() => rm(tools, { recursive: true, force: true }));

beforeEach(async () => {
  origin = await startScriptOrigin(({ url = '', headers: { range, 'if-range': ifRange } }, response) => {
    const body = bodyOf(url);
    const etag = url.startsWith('/untold') ? undefined : `"${url}"`;
    const headers = { 'cache-control': 'max-age=86400', ...(etag && { etag }) };
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const part = body.subarray(from);
    const last = body.length - 1;
    const partial = from > 0 &&
      ifRange === etag && { 'content-range': `bytes ${from}-${last}/${body.length}` };
    if (partial) response.writeHead(206, { ...headers, ...partial, 'content-length': part.length }).end(part);
    else response.writeHead(200, { ...headers, 'content-length': body.length }).end(body);
  });
});

afterEach(async () => {
  await edge.remove();
  await origin.stop();
});

const get = (path: string) => fetchFrom(edge.port, path, { host });

async function isWhole(path: string): Promise<string> {
  const { status, body, headers } = await get(path);
  expect(status, path).toBe(200);
  expect(body.equals(bodyOf(path)), path).toBe(true);
  return String(headers['cache-status']);
}

async function metric(name: string): Promise<number> {
  const { text } = await fetchFrom(edge.admin, '/metrics', { host: 'admin' });
  const line = text.split('\n').find((row) => row.startsWith(`weir_edge_${name} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}

const errors = (operation: 'read' | 'write') => metric(`store_errors_total{operation="${operation}"}`);
const fetched = () => metric('origin_bytes_total{domain="demo/video"}');
const onDisk = () => metric('stored_objects{tier="disk"}');

/** Small, of several blocks, and more than waits in memory to be written. */
const SIZES = [1_000, 700_000, 3_000_000];
const paths = (name: string) => SIZES.map((size) => `/${name}/${size}`);

async function start(workers: number, around: Around): Promise<void> {
  const settings = JSON.stringify({ edge: { workers } });
  // So little memory that what is asked for again comes from the disk.
  edge = await edgeProcess(origin.url, { disk: '200MiB', memory: '1MiB', settings }, around);
}

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stdout.write('disk-faults: the full disk is not tried, only root may mount one\n');

describe.skipIf(!isRoot).each([1, 2])('a full disk, with %i workers', (workers) => {
  test(
    'answers pass through whole, and are stored again when there is room',
    async () => {
      await start(workers, { cacheDisk: '24m' });
      for (const path of paths('before')) await isWhole(path);
      await eventually(async () => expect(await onDisk()).toBe(SIZES.length));
      // The folder as the edge sees it.
      const ballast = `/proc/${edge.child().pid}/root${edge.state}/cache/ballast`;
      await fill(ballast);
      const names = Array.from({ length: 8 }, (_, index) => `full-${index}`);
      for (const name of names)
        await Promise.all(paths(name).flatMap((path) => [isWhole(path), isWhole(path)]));
      for (const path of paths('before')) expect(await isWhole(path)).toMatch(/; hit/);
      await eventually(async () => expect(await errors('write')).toBeGreaterThanOrEqual(names.length));
      expect(await errors('read')).toBe(0);
      await rm(ballast);
      await eventually(async () => {
        for (const path of paths('after')) expect(await isWhole(path)).toMatch(/; hit/);
      }, WITHIN_MS);
    },
    2 * WITHIN_MS,
  );
});

/** With zeros, until the kernel says that there is no room. */
async function fill(file: string): Promise<void> {
  await expect(writeFile(file, Buffer.alloc(24 * 2 ** 20))).rejects.toThrow(/ENOSPC/);
}

const noCompiler = whyNoCompiler();
if (noCompiler) process.stdout.write(`disk-faults: EIO is not tried: ${noCompiler}\n`);

/** Below an edge whose state lies there; its disk fails while there is a file `fails`. */
function failingIo(state: string) {
  return {
    LD_PRELOAD: join(tools, 'failing-io.so'),
    FAILING_BELOW: join(state, 'cache'),
    FAILING_WHILE: join(state, 'fails'),
  };
}

describe.skipIf(noCompiler !== undefined).each([1, 2])(
  'a disk that answers EIO, with %i workers',
  (workers) => {
    test(
      'answers pass through whole, what was stored included, and are stored again when it works',
      async () => {
        await start(workers, { env: failingIo });
        for (const path of paths('before')) await isWhole(path);
        await eventually(async () => expect(await onDisk()).toBe(SIZES.length));
        await writeFile(join(edge.state, 'fails'), '');
        for (const path of paths('before')) await isWhole(path);
        for (const name of ['a', 'b', 'c']) {
          await Promise.all(paths(name).flatMap((path) => [isWhole(path), isWhole(path)]));
        }
        await eventually(async () => expect(await errors('write')).toBeGreaterThanOrEqual(3));
        expect(await errors('read')).toBeGreaterThanOrEqual(1);
        await rm(join(edge.state, 'fails'));
        await eventually(async () => {
          for (const path of paths('after')) expect(await isWhole(path)).toMatch(/; hit/);
        }, WITHIN_MS);
      },
      2 * WITHIN_MS,
    );

    test.each([
      ['has the rest from the origin, where that can tell that it is the same', '/lagging'],
      ['breaks off where the origin cannot tell', '/untold'],
    ])(
      'a slow client that the disk fails in the middle of a fetch %s',
      async (_what, prefix) => {
        await start(workers, { env: failingIo });
        const path = `${prefix}/${SLOW_SIZE}`;
        const slow = await beginSlowly(path);
        // All of it has come and lies in the file, and the client has had little of it.
        await eventually(async () => expect(await fetched()).toBeGreaterThanOrEqual(SLOW_SIZE));
        await writeFile(join(edge.state, 'fails'), '');
        const body = await slow.rest();
        if (prefix === '/lagging') {
          expect(body.equals(bodyOf(path))).toBe(true);
          expect(origin.count(path)).toBe(2);
        } else {
          expect(body.length).toBeLessThan(SLOW_SIZE);
          expect(body.equals(bodyOf(path).subarray(0, body.length))).toBe(true);
        }
        await eventually(async () => expect(await errors('read')).toBeGreaterThanOrEqual(1));
      },
      2 * WITHIN_MS,
    );
  },
);

/** More than the buffers of the sockets on the way take. */
const SLOW_SIZE = 40_000_000;

/** A client that has asked, and then reads nothing until `rest`. */
async function beginSlowly(path: string) {
  const socket = connect(edge.port, '127.0.0.1');
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  await once(socket, 'readable');
  return {
    /** The body as far as it comes. */
    async rest(): Promise<Buffer> {
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of socket) chunks.push(chunk);
      } catch {
        // Broken off.
      }
      const all = Buffer.concat(chunks);
      return all.subarray(all.indexOf('\r\n\r\n') + 4);
    },
  };
}

function whyNoCompiler(): string | undefined {
  if (process.platform !== 'linux') return `${process.platform} is not Linux`;
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'there is no cc';
  }
}
