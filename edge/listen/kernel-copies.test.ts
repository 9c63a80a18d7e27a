/** Hot bodies that the kernel sends from copies: the same bytes to any client, within bounds, and nothing left behind. */
import { readdir, readlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { startTestEdge, type TestEdge } from '../testing/test-edge.ts';

const HOST = 'video.example.com';
const SIZE = 64 * 1_024;
/** More than the uses after which a copy is made. */
const OFTEN = 20;

/** Numbered, and another one after each purge. */
function bodyOf(path: string, version: number): Buffer {
  const body = Buffer.alloc(SIZE, `${path} ${version} `);
  for (let at = 0; at < SIZE; at += 1_024) body.writeUInt32BE(at, at);
  return body;
}

let origin: ScriptOrigin;
let version = 1;

beforeAll(async () => {
  origin = await startScriptOrigin((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=86400', 'content-length': SIZE });
    response.end(bodyOf(request.url ?? '', version));
  });
});

afterAll(() => origin.stop());

/** How many there are in this process, which the edge runs in. */
async function copies(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return links.filter((link) => link.includes('memfd:weir-body')).length;
}

const request = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${more}\r\n`;

/** One answer of a connection that stays, as its head announces it. */
function readAnswer(socket: Socket): Promise<{ head: string; body: Buffer }> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    socket.on('data', function onData(piece: Buffer) {
      bytes = Buffer.concat([bytes, piece]);
      const end = bytes.indexOf('\r\n\r\n') + 4;
      const head = bytes.subarray(0, end).toString('latin1');
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      if (end < 4 || bytes.length < end + length) return;
      socket.off('data', onData);
      resolve({ head, body: bytes.subarray(end) });
    });
  });
}

function ask(socket: Socket, text: string) {
  socket.write(text);
  return readAnswer(socket);
}

describe.runIf(process.platform === 'linux')('copies of hot bodies', () => {
  let edge: TestEdge;
  let socket: Socket;

  beforeAll(async () => {
    // An eighth of it: two bodies.
    edge = await startTestEdge({ origin: origin.url, memory: 2 ** 20, sendfile: 'on' });
    socket = connect(edge.port, '127.0.0.1');
  });

  afterAll(async () => {
    socket.destroy();
    await edge.stop();
    await edge.remove();
  });

  const askOften = async (path: string) => {
    for (let turn = 0; turn < OFTEN; turn++) {
      const { head, body } = await ask(socket, request(path));
      expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(body.equals(bodyOf(path, version))).toBe(true);
    }
  };

  test('every answer has the same bytes, before there is a copy and from it', async () => {
    await edge.get('/hot');
    const before = await edge.metric('client_bytes_total', '{domain="demo/video"}');
    await askOften('/hot');
    expect(await copies()).toBe(1);
    expect((await edge.metric('client_bytes_total', '{domain="demo/video"}')) - before).toBe(OFTEN * SIZE);
  });

  test('a large range comes from the copy, with its own bytes', async () => {
    const { head, body } = await ask(socket, request('/hot', 'Range: bytes=1000-50999\r\n'));
    expect(head).toMatch(/^HTTP\/1\.1 206 /);
    expect(body.equals(bodyOf('/hot', version).subarray(1_000, 51_000))).toBe(true);
  });

  test('what was purged is answered from no copy', async () => {
    version++;
    await edge.command({
      type: 'purge',
      uid: 'purge-hot',
      domain: 'uid-video',
      target: { by: 'urls', urls: [`http://${HOST}/hot`] },
    });
    await edge.get('/hot');
    await askOften('/hot');
  });

  test('they keep to their room, and who reads slowly gets the bytes of one that was pushed out', async () => {
    for (const path of ['/a', '/b', '/c']) await edge.get(path);
    await askOften('/a');
    // Its answer waits in the sockets.
    const slow = connect(edge.port, '127.0.0.1').pause();
    const sent = () => edge.metric('client_bytes_total', '{domain="demo/video"}');
    const before = await sent();
    slow.write(request('/a'));
    await eventually(async () => expect((await sent()) - before).toBe(SIZE));
    await askOften('/b');
    await askOften('/c');
    expect(await copies()).toBe(2);
    expect((await readAnswer(slow.resume())).body.equals(bodyOf('/a', version))).toBe(true);
    slow.destroy();
  });

  test('none is left when the edge has stopped', async () => {
    const other = await startTestEdge({ origin: origin.url, sendfile: 'on' });
    const client = connect(other.port, '127.0.0.1');
    const before = await copies();
    await other.get('/left');
    for (let turn = 0; turn < OFTEN; turn++) await ask(client, request('/left'));
    expect(await copies()).toBe(before + 1);
    client.destroy();
    await other.stop();
    await other.remove();
    await eventually(async () => expect(await copies()).toBe(before));
  });
});
