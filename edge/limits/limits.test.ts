/** Each limit over sockets: the status, the counter, and that the fast path does not let pass what the ordinary refuses. */
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { rawExchange } from '../testing/raw-exchange.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { startTestEdge, type TestEdge } from '../testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;
const sockets: Socket[] = [];

const BODY = Buffer.alloc(200_000, 'x');

async function start(limits: Record<string, string | number | string[]>, fastPath = true) {
  origin = await startScriptOrigin((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=600' });
    response.end(request.url === '/large' ? BODY : 'hello');
  });
  edge = await startTestEdge({ origin: origin.url, settings: { limits }, fastPath });
  await edge.get('/a');
}

beforeEach(() => {
  sockets.length = 0;
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const counted = (limit: string) => edge.metric('limited_total', `{limit="${limit}"}`);
const send = (bytes: string) => rawExchange(edge.port, bytes);

/** A connection of its own, that the test reads or does not. */
async function open(bytes = ''): Promise<Socket> {
  const socket = connect(edge.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  if (bytes !== '') socket.write(bytes);
  return socket;
}

const GET = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: video.example.com\r\n${fields}\r\n`;
/** So that no answer is a plain hit that keeps its connection. */
const CLOSE = 'Connection: close\r\n';

describe.each([true, false])('with the fast path %s:', (fastPath) => {
  test('header bytes: 431', async () => {
    await start({ headerSize: '1KiB' }, fastPath);
    const answer = await send(GET('/a', `Accept: ${'a'.repeat(1_100)}\r\n`));
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(await counted('headerSize')).toBe(1);
  });

  test('header count: 431, and nothing is dropped in silence', async () => {
    await start({ headerCount: 5 }, fastPath);
    const fields = (count: number) => 'Accept: x\r\n'.repeat(count);
    expect(await send(GET('/a', fields(3) + CLOSE))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await send(GET('/a', fields(5)))).toMatch(/^HTTP\/1\.1 431 [\s\S]*more than 5 header fields/);
    expect(await counted('headerCount')).toBe(1);
  });

  test('target: 414', async () => {
    await start({ uriLength: 50 }, fastPath);
    expect(await send(GET(`/${'a'.repeat(49)}`, CLOSE))).toMatch(/^HTTP\/1\.1 200 /);
    // Stored under a longer limit it would be a plain hit.
    expect(await send(GET(`/${'a'.repeat(50)}`))).toMatch(/^HTTP\/1\.1 414 [\s\S]*longer than 50/);
    expect(await counted('uriLength')).toBe(1);
  });

  test('a head that does not come, and one that does not end: 408', async () => {
    await start({ headerTimeout: '200ms' }, fastPath);
    for (const bytes of ['', 'GET /a HT', GET('/a').slice(0, -2)]) {
      expect(await send(bytes)).toMatch(/^HTTP\/1\.1 408 /);
    }
    expect(await counted('requestTime')).toBe(3);
  });

  test('a body that does not end: 408', async () => {
    await start({ headerTimeout: '200ms', requestTimeout: '300ms' }, fastPath);
    origin.answer((request) => request.resume());
    const post = 'POST /a HTTP/1.1\r\nHost: video.example.com\r\nContent-Length: 10\r\n\r\nabc';
    expect(await send(post)).toMatch(/^HTTP\/1\.1 408 |^$/);
    await eventually(async () => expect(await counted('requestTime')).toBe(1));
  });

  test('idle: closed without a word', async () => {
    await start({ idleTimeout: '200ms' }, fastPath);
    expect((await send(GET('/a'))).match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test('connections of one client: 429, and room again when one goes', async () => {
    await start({ connectionsPerClient: 2, exempt: ['192.0.2.0/24'] }, fastPath);
    const held = [await open(), await open()];
    await eventually(async () =>
      expect(await send(GET('/a', CLOSE))).toMatch(/^HTTP\/1\.1 429 [\s\S]*Retry-After: 10/),
    );
    expect(await counted('connectionsPerClient')).toBeGreaterThan(0);
    held[0]?.destroy();
    await eventually(async () => expect(await send(GET('/a', CLOSE))).toMatch(/^HTTP\/1\.1 200 /));
  });

  test('a client that reads too slowly is cut off, one that keeps the pace is not', async () => {
    await start({ minimumRate: '10KiB', minimumRateWindow: '1m' }, fastPath);
    await edge.get('/large');
    const slow = await open();
    slow.pause();
    // Far more than sockets buffer: most of it waits for the client.
    slow.write(GET('/large').repeat(100));
    const steady = await open(GET('/large').repeat(100));
    let read = 0;
    steady.on('data', (data) => {
      read += data.length;
    });
    await eventually(() => expect(read).toBeGreaterThan(100 * BODY.length));
    const cut = new Promise((resolve) => slow.once('close', resolve));
    await eventually(async () => {
      edge.clock.advance(60_000);
      expect(await counted('minimumRate')).toBe(1);
    });
    slow.resume();
    await cut;
    expect(steady.destroyed).toBe(false);
  });

  test('a body that comes too slowly is cut off', async () => {
    await start({ minimumRate: '10KiB', minimumRateWindow: '1m' }, fastPath);
    let came = 0;
    origin.answer((request) =>
      request.on('data', (data: Buffer) => {
        came += data.length;
      }),
    );
    const post = await open(
      'POST /a HTTP/1.1\r\nHost: video.example.com\r\nContent-Length: 2000000\r\n\r\nabc',
    );
    await eventually(() => expect(came).toBe(3));
    const cut = new Promise((resolve) => post.once('close', resolve));
    edge.clock.advance(60_000);
    // Above the rate, and so still there after this window.
    post.write('x'.repeat(700_000));
    await eventually(() => expect(came).toBe(700_003));
    edge.clock.advance(60_000);
    expect(await counted('minimumRate')).toBe(0);
    edge.clock.advance(60_000);
    await cut;
    expect(await counted('minimumRate')).toBe(1);
  });
});

test('an origin that is slow is not the client’s doing', async () => {
  await start({ minimumRate: '10KiB', minimumRateWindow: '1m' });
  const held = Promise.withResolvers<() => void>();
  origin.answer((_request, response) => held.resolve(() => response.end('late')));
  const asked = edge.get('/b');
  const answer = await held.promise;
  for (let turn = 0; turn < 5; turn++) edge.clock.advance(60_000);
  answer();
  expect((await asked).text).toBe('late');
});

test('waiters for one fetch: 503 with Retry-After, and the others get their answer', async () => {
  await start({ waitersPerObject: 2 });
  const held = Promise.withResolvers<() => void>();
  origin.answer((_request, response) =>
    held.resolve(() => response.writeHead(200, { 'cache-control': 'max-age=60' }).end('one')),
  );
  const leader = edge.get('/b');
  const answer = await held.promise;
  const waiters = [edge.get('/b'), edge.get('/b'), edge.get('/b')];
  // The first that is answered is the one that may not wait.
  expect((await Promise.race(waiters)).headers).toMatchObject({ 'retry-after': '1' });
  answer();
  const all = await Promise.all([leader, ...waiters]);
  expect(all.filter(({ status }) => status === 200)).toHaveLength(3);
  expect(await counted('waitersPerObject')).toBe(1);
  expect(origin.count('/b')).toBe(1);
});
