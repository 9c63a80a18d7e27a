/** The program as it is started by others: its own process, its plan on disk, no operator. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LEAVING_HEADER } from '../contract/health-answer.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { type EdgeProcess, edgeProcess } from './testing/edge-process.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { fetchFrom } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let port: number;
let admin: number;
let edge: EdgeProcess;

beforeEach(async () => {
  origin = await startScriptOrigin((_request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=600' }).end('hello'),
  );
  edge = await edgeProcess(origin.url);
  ({ port, admin } = edge);
});

afterEach(async () => {
  await edge.remove();
  await origin.stop();
});

const host = 'video.example.com';

test('killed, it serves what it had stored when it comes back; told to stop, it exits cleanly', async () => {
  await fetchFrom(port, '/a', { host });
  const onDisk = /weir_edge_stored_objects\{tier="disk"\} 1\n/;
  await eventually(async () => expect((await fetchFrom(admin, '/metrics', { host })).text).toMatch(onDisk));
  await edge.kill();
  await edge.start();
  expect((await fetchFrom(port, '/a', { host })).headers['cache-status']).toMatch(/hit/);
  edge.child().kill('SIGTERM');
  expect(await once(edge.child(), 'exit')).toEqual([0, null]);
});

test('told to stop it says that it leaves, and serves on; told again it goes at once', async () => {
  const leaving = await edgeProcess(origin.url, { drain: '1h' });
  try {
    await eventually(async () => expect((await health(leaving)).status).toBe(200));
    leaving.child().kill('SIGTERM');
    await eventually(async () => expect(await health(leaving)).toMatchObject({ status: 503 }));
    expect((await health(leaving)).headers).toMatchObject({ [LEAVING_HEADER]: '?1' });
    expect(await fetchFrom(leaving.port, '/a', { host })).toMatchObject({ status: 200, text: 'hello' });
    leaving.child().kill('SIGTERM');
    expect(await once(leaving.child(), 'exit')).toEqual([0, null]);
  } finally {
    await leaving.remove();
  }
});

const health = ({ port }: EdgeProcess) => fetchFrom(port, '/.weir/health', { host });

test('it stops when the process that started it is gone', async () => {
  edge.child().disconnect();
  expect(await once(edge.child(), 'exit')).toEqual([0, null]);
});

const GIGABYTE = 2 ** 30;
const chunk = Buffer.alloc(2 ** 20, 'weir');

test('1 GiB passes with flat memory, for a fast client and a slow one, and is a hit afterwards', async () => {
  origin.answer(async (_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=600', 'content-length': String(GIGABYTE) });
    for (let sent = 0; sent < GIGABYTE; sent += chunk.length) {
      if (!response.write(chunk)) await once(response, 'drain');
    }
    response.end();
  });
  const before = await residentMegabytes();
  const slow = get({ host: '127.0.0.1', port, path: '/big', headers: { host }, agent: false });
  slow.on('error', () => {});
  // It never reads more than the first piece.
  slow.on('response', (response) => response.once('data', () => response.pause()));
  const begin = performance.now();
  expect(await download('/big')).toBe(GIGABYTE);
  const seconds = (performance.now() - begin) / 1_000;
  expect(await download('/big')).toBe(GIGABYTE);
  slow.destroy();
  const peak = await peakMegabytes();
  process.stdout.write(
    `1 GiB in ${seconds.toFixed(1)} s; resident ${before} MB before, ${peak} MB at the peak\n`,
  );
  expect(origin.requests).toHaveLength(1);
  expect(peak - before).toBeLessThan(200);
}, 60_000);

/** Counts bytes, and compares each with what the origin sends. */
function download(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, (response) => {
      let bytes = 0;
      response.on('data', (data: Buffer) => {
        const at = bytes % 4;
        if (!data.equals(chunk.subarray(at, at + data.length))) reject(new Error(`other bytes at ${bytes}`));
        bytes += data.length;
      });
      response.on('error', reject);
      response.on('end', () => resolve(bytes));
    }).on('error', reject);
  });
}

const residentMegabytes = () => memoryRow('VmRSS');
const peakMegabytes = () => memoryRow('VmHWM');

async function memoryRow(name: string): Promise<number> {
  const text = await readFile(`/proc/${edge.child().pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1]) / 1_024);
}
