/** Large bodies by sendfile and by reading and writing: the same bytes to any client, and never a short answer that looks whole. */
import { readdir, truncate } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { startTestEdge, type TestEdge } from '../testing/test-edge.ts';

const HOST = 'video.example.com';
/** More than any socket takes at once. */
const SIZE = 24 * 1_024 * 1_024;
const PAUSE_MS = 1;

/** Numbered, so that bytes at the wrong place show. */
function bodyOf(path: string): Buffer {
  const body = Buffer.alloc(SIZE, path);
  for (let at = 0; at < SIZE; at += 4_096) body.writeUInt32BE(at, at);
  return body;
}

let origin: ScriptOrigin;

beforeAll(async () => {
  origin = await startScriptOrigin((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=86400', 'content-length': SIZE });
    response.end(bodyOf(request.url ?? ''));
  });
});

afterAll(() => origin.stop());

/**
 * An answer, read with a pause after each piece: as much as its head announces, or until the connection ends.
 * Nothing is read before what `onBytes` does is done: on a busy machine the whole answer is through before that.
 */
function readSlowly(
  edge: TestEdge,
  request: string,
  onBytes: (bytes: number) => Promise<unknown> | undefined = () => undefined,
): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = connect(edge.port, '127.0.0.1');
    const pieces: Buffer[] = [];
    let left = SIZE;
    socket.write(request);
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece);
      left -= pieces.length === 1 ? bodyIn(piece).length : piece.length;
      if (left <= 0) socket.end();
      socket.pause();
      void Promise.all([onBytes(SIZE - left), sleep(PAUSE_MS)]).then(() => socket.resume());
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(pieces)));
  });
}

const bodyIn = (reply: Buffer) => reply.subarray(reply.indexOf('\r\n\r\n') + 4);
const request = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${more}\r\n`;

describe.each(['on', 'off'] as const)('sendfile %s', (sendfile) => {
  let edge: TestEdge;

  beforeAll(async () => {
    edge = await startTestEdge({ origin: origin.url, sendfile });
    for (let turn = 0; turn < 2; turn++) await edge.get('/whole');
  });

  afterAll(async () => {
    await edge.stop();
    await edge.remove();
  });

  test.each([
    ['straight from the socket', request('/whole')],
    ['through node:http', request('/whole', 'Connection: close\r\n')],
  ])('%s, a client that reads slowly gets every byte', async (_name, bytes) => {
    const before = await edge.metric('client_bytes_total', '{domain="demo/video"}');
    const reply = await readSlowly(edge, bytes);
    expect(bodyIn(reply).equals(bodyOf('/whole'))).toBe(true);
    expect((await edge.metric('client_bytes_total', '{domain="demo/video"}')) - before).toBe(SIZE);
  });

  test('a purge in the middle takes nothing from who reads already', async () => {
    for (let turn = 0; turn < 2; turn++) await edge.get('/purged');
    let purging: Promise<unknown> | undefined;
    const reply = await readSlowly(edge, request('/purged'), () => {
      purging ??= edge.command({
        type: 'purge',
        uid: `purge-${sendfile}`,
        domain: 'uid-video',
        target: { by: 'urls', urls: [`http://${HOST}/purged`] },
      });
      return purging;
    });
    await purging;
    expect(bodyIn(reply).equals(bodyOf('/purged'))).toBe(true);
    expect((await edge.get('/purged')).headers['cache-status']).toMatch(/fwd=uri-miss/);
  });

  test.each([
    // Past the pipeline nobody knows where the rest is.
    ['straight from the socket', '/torn-a', '', sendfile === 'off'],
    ['through node:http', '/torn-b', 'Connection: close\r\n', true],
  ])(
    '%s, a file that loses its end: the rest comes from the origin, or it breaks off',
    async (_name, path, more, isWhole) => {
      for (let turn = 0; turn < 2; turn++) await edge.get(path);
      // Of two that come while it is being stored neither finds its blocks whole: the next one would be the pipeline's.
      if (!isWhole) await eventually(() => getFast(path));
      const files = await readdir(join(edge.state, 'cache/objects'), {
        recursive: true,
        withFileTypes: true,
      });
      const bodies = files
        .filter((file) => file.isFile())
        .map(({ parentPath, name }) => join(parentPath, name));
      let torn: Promise<unknown> | undefined;
      // At a page's border: of a page that is cut the kernel clears the rest, also where it waits in a socket.
      const reply = await readSlowly(edge, request(path, more), () => {
        torn ??= Promise.all(bodies.map((file) => truncate(file, SIZE / 2)));
        return torn;
      });
      await torn;
      if (isWhole) expect(bodyIn(reply).equals(bodyOf(path))).toBe(true);
      else expect(bodyIn(reply).length).toBeLessThan(SIZE);
      expect((await edge.get(path)).body.equals(bodyOf(path))).toBe(true);
      expect(await edge.metric('store_errors_total', '{operation="read"}')).toBeGreaterThanOrEqual(1);
    },
  );

  async function getFast(path: string): Promise<void> {
    const before = await edge.metric('fast_hits_total');
    await edge.get(path, { headers: { connection: 'keep-alive' } });
    expect(await edge.metric('fast_hits_total')).toBe(before + 1);
  }

  test('a client that leaves in the middle harms nobody else', async () => {
    for (let turn = 0; turn < 2; turn++) await edge.get('/left');
    const socket = connect(edge.port, '127.0.0.1');
    socket.write(request('/left'));
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    expect((await edge.get('/left')).body.equals(bodyOf('/left'))).toBe(true);
  });
});
