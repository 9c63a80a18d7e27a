/** Hits from memory over TLS: head and body are written from room that all answers share. */
import { randomBytes } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { secretsOf, type TestCa, testCa, tlsWith } from '../testing/certificates.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge } from '../testing/test-edge.ts';
import { openSecure } from '../testing/tls-exchange.ts';

const HOST = 'video.example.com';
/** Either side of what is copied for plain HTTP, and as large as bodies in memory are. */
const SIZES = [0, 1, 500, 8_192, 16_384, 65_536, 200_000, 262_144];
const BODIES = new Map<string, Buffer>(SIZES.map((size) => [`/${size}`, randomBytes(size)]));

let ca: TestCa;
let origin: ScriptOrigin;
let edge: TestEdge;
const open: TLSSocket[] = [];

beforeAll(async () => {
  ca = await testCa();
  const certificate = await ca.issue('demo/video', [HOST]);
  origin = await startScriptOrigin((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=86400' });
    response.end(BODIES.get(request.url ?? ''));
  });
  edge = await startTestEdge({
    origin: origin.url,
    secrets: secretsOf([certificate]),
    domains: [domainOf(origin.url, { tls: tlsWith([certificate]) })],
    settings: { limits: { minimumRate: '10KiB', minimumRateWindow: '1m' } },
  });
  for (const path of BODIES.keys()) await edge.get(path);
});

afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

afterAll(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

async function connect(): Promise<TLSSocket> {
  const socket = await openSecure(edge.tlsPort, { ca: ca.ca, servername: HOST });
  open.push(socket.setNoDelay());
  return socket;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
const fastHits = () => edge.metric('fast_hits_total');

/** Alone in its record: those that come while one is under way would be put together. */
const write = (socket: TLSSocket, text: string) =>
  new Promise<void>((resolve) => socket.write(text, () => resolve()));

/** What the bodies are, one after another. */
function bodiesIn(bytes: Buffer): Buffer[] {
  const bodies: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n\r\n', at) + 4;
    const [, length] = /content-length: (\d+)/i.exec(bytes.toString('latin1', at, end)) ?? [];
    bodies.push(bytes.subarray(end, end + Number(length)));
    at = end + Number(length);
  }
  return bodies;
}

const whole = (paths: readonly string[]) =>
  paths.reduce((sum, path) => sum + (BODIES.get(path)?.length ?? 0), 0);

test.each([
  ['each in a record of its own', (paths: string[]) => paths.map(get)],
  ['all in one', (paths: string[]) => [paths.map(get).join('')]],
])('asked for one behind another by clients that read late, %s: each gets its own', async (_how, pieces) => {
  const before = await fastHits();
  const paths = [...BODIES.keys(), ...[...BODIES.keys()].toReversed()];
  const clients = await Promise.all([connect(), connect(), connect()]);
  const asking = clients.map(async (client, index) => {
    const asked = [...paths.slice(index), ...paths.slice(0, index)];
    const came: Buffer[] = [];
    client.on('data', (bytes: Buffer) => came.push(bytes));
    client.pause();
    for (const piece of pieces(asked)) await write(client, piece);
    return { asked, came };
  });
  const answers = await Promise.all(asking);
  await eventually(async () => expect(await fastHits()).toBeGreaterThan(before));
  for (const client of clients) client.resume();
  for (const { asked, came } of answers) {
    await eventually(() => expect(Buffer.concat(came).length).toBeGreaterThan(whole(asked)));
    await eventually(() => expect(bodiesIn(Buffer.concat(came))).toHaveLength(asked.length));
    for (const [index, body] of bodiesIn(Buffer.concat(came)).entries())
      expect(body.equals(BODIES.get(asked[index] ?? '') ?? Buffer.alloc(0)), asked[index]).toBe(true);
  }
  expect(await fastHits()).toBe(before + 3 * paths.length);
});

test('to a client that does not read end by the rate that it has to keep', async () => {
  const before = await fastHits();
  const slow = await connect();
  slow.pause();
  for (let turn = 0; turn < 200; turn++) await write(slow, get('/200000'));
  const cut = new Promise((resolve) => slow.once('close', resolve));
  await eventually(async () => {
    edge.clock.advance(60_000);
    expect(await edge.metric('limited_total', '{limit="minimumRate"}')).toBe(1);
  });
  // The rest was not even begun: it waits for what is before it.
  expect(await fastHits()).toBeLessThan(before + 200);
  slow.resume();
  await cut;
});
