/**
 * The fast path against node:http: two edges with the same state, one of which never has a hit ready, get the same
 * bytes and must send the same bytes back.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { edgeSettings } from '../../contract/config/edge-settings.ts';
import { FakeClock } from '../../lib/clock.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { readLimits } from '../limits/limits.ts';
import { sendPieces } from '../testing/pieces.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { startTestEdge, type TestEdge } from '../testing/test-edge.ts';
import { plainRequestReader } from './plain-request.ts';

const HOST = 'video.example.com';
/** Stored before; the last two cannot be ready hits. */
const PATHS = ['/a', '/b?x=1', '/large', '/file', '/not-there', '/a%20b', '//a', '/a|b', '/gzip', '/stale'];
/** What takes time (an origin) may be overtaken by a fault behind it, on either side; so all of it is stored. */
const FUZZED = PATHS.slice(0, -2);

let origin: ScriptOrigin;
let fast: TestEdge;
let slow: TestEdge;

beforeAll(async () => {
  origin = await startScriptOrigin((request, response) => {
    const path = request.url ?? '';
    const size = path === '/file' ? 700_000 : path === '/large' ? 100_000 : 500;
    const headers = {
      'cache-control': path === '/stale' ? 'max-age=0' : 'max-age=86400',
      etag: '"1"',
      'content-type': 'text/plain',
    };
    const coded = path === '/gzip' ? { 'content-encoding': 'gzip', vary: 'Accept-Encoding' } : {};
    response.writeHead(path === '/not-there' ? 404 : 200, { ...headers, ...coded });
    response.end(Buffer.alloc(size, path));
  });
  const clock = new FakeClock(Math.floor(Date.now() / 1_000) * 1_000);
  fast = await startTestEdge({ origin: origin.url, clock });
  slow = await startTestEdge({ origin: origin.url, clock, fastPath: false });
  for (const edge of [fast, slow]) {
    // The second time a file is read, and found whole, so that the next may send it as it is.
    for (const path of [...PATHS, ...PATHS]) await edge.get(path);
  }
});

afterAll(async () => {
  for (const edge of [fast, slow]) {
    await edge.stop();
    await edge.remove();
  }
  await origin.stop();
});

const hits = (edge: TestEdge) => edge.metric('fast_hits_total');

/** Each side makes its Date where the origin's is not stored, and an edge names no port; so nothing has to be hidden. */
async function compare(pieces: readonly string[]): Promise<string> {
  const [quick, plain] = await Promise.all([sendPieces(fast.port, pieces), sendPieces(slow.port, pieces)]);
  expect(undated(quick)).toBe(undated(plain));
  return quick;
}

/** What is made anew (an error, a revalidation) bears the moment at which it was made. */
function undated(text: string): string {
  return text
    .replace(/^date: .*$/gim, 'date: now')
    .replace(/(?:\/(?:large|file)){2,}/g, ({ length }) => `(${length} bytes)`);
}

const plain = (path: string, method = 'GET', more = '') =>
  `${method} ${path} HTTP/1.1\r\nHost: ${HOST}\r\nUser-Agent: curl/8\r\nAccept: */*\r\n${more}\r\n`;

test('a plain hit is taken, counted as a hit with its bytes, and the same as the slow one', async () => {
  const before = [
    await hits(fast),
    await fast.metric('requests_total', '{domain="demo/video",result="hit"}'),
  ];
  const bytes = await fast.metric('client_bytes_total', '{domain="demo/video"}');
  const reply = await compare([plain('/a'), plain('/large'), plain('/a', 'HEAD')]);
  expect(reply).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*cache-status: zz-1; hit; ttl=86400\r\n/);
  expect((await hits(fast)) - (before[0] ?? 0)).toBe(3);
  const counted = await fast.metric('requests_total', '{domain="demo/video",result="hit"}');
  expect(counted - (before[1] ?? 0)).toBe(3);
  expect((await fast.metric('client_bytes_total', '{domain="demo/video"}')) - bytes).toBe(100_500);
  expect(await hits(slow)).toBe(0);
});

test.each([
  ['/a', 'bytes=0-9', 10],
  ['/a', 'bytes=490-', 10],
  ['/large', 'bytes=-7', 7],
  ['/file', 'bytes=262140-262150', 11],
  ['/file', 'bytes=0-9999999', 700_000],
])('%s, %s: a range is taken, too', async (path, range, length) => {
  const before = await hits(fast);
  const reply = await compare([
    plain(path, 'GET', `Range: ${range}\r\n`),
    plain(path, 'GET', `Range: ${range}\r\n`),
  ]);
  expect(reply).toMatch(
    new RegExp(`^HTTP/1\\.1 206 Partial Content\\r\\n(?:.*\\r\\n)*content-length: ${length}\\r\\n`),
  );
  expect((await hits(fast)) - before).toBe(2);
});

test('a file is sent whole, and answers behind it come in order', async () => {
  const before = await hits(fast);
  await compare([plain('/file'), plain('/a'), plain('/file', 'HEAD'), plain('/file')]);
  expect((await hits(fast)) - before).toBe(4);
});

describe('takes another way, with nothing lost:', () => {
  test.each([
    ['a miss', plain('/other')],
    ['a POST', `POST /a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 2\r\n\r\nhi`],
    ['a range that cannot be', plain('/a', 'GET', 'Range: bytes=900-\r\n')],
    ['two ranges', plain('/a', 'GET', 'Range: bytes=0-9,20-29\r\n')],
    ['a range and a condition', plain('/a', 'GET', 'Range: bytes=0-9\r\nIf-Range: "1"\r\n')],
    ['a range of a HEAD', plain('/a', 'HEAD', 'Range: bytes=0-9\r\n')],
    ['a condition', plain('/a', 'GET', 'If-None-Match: "1"\r\n')],
    ['a field that nobody knows', plain('/a', 'GET', 'X-What: 1\r\n')],
    ['two requests in one piece', plain('/a') + plain('/large')],
    ['no-cache', plain('/a', 'GET', 'Cache-Control: no-cache\r\n')],
    ['a stale answer', plain('/stale')],
    ['a coded answer', plain('/gzip', 'GET', 'Accept-Encoding: gzip\r\n')],
    ['another domain', 'GET /a HTTP/1.1\r\nHost: other.example.com\r\n\r\n'],
    ['Connection: close', plain('/a', 'GET', 'Connection: close\r\n')],
    ['HTTP/1.0', plain('/a').replace('1.1', '1.0')],
    ['a dot segment', plain('/x/../a')],
    ['health', plain('/.weir/health')],
  ])('%s, behind a hit', async (_name, bytes) => {
    await compare([plain('/a'), bytes, plain('/a')]);
  });

  test('a request in two pieces', async () => {
    const bytes = plain('/a');
    await compare([plain('/large'), bytes.slice(0, 20), bytes.slice(20)]);
  });
});

test('an Age and a ttl move on with the clock; a purge and a refresh are seen at once', async () => {
  fast.clock.advance(1_500);
  expect(await compare([plain('/b?x=1')])).toMatch(/\r\nage: 1\r\n.*cache-status: zz-1; hit; ttl=86398\r\n/s);
  fast.clock.advance(600);
  expect(await compare([plain('/b?x=1')])).toMatch(/\r\nage: 2\r\n/);
  const urls = [`http://${HOST}/b?x=1`];
  for (const edge of [fast, slow]) {
    await edge.command({ type: 'purge', uid: 'p1', domain: 'uid-video', target: { by: 'urls', urls } });
  }
  expect(await compare([plain('/b?x=1')])).toMatch(/fwd=uri-miss/);
  for (const edge of [fast, slow]) {
    await eventually(async () => expect((await edge.get('/b?x=1')).headers['cache-status']).toMatch(/hit/));
    await edge.command({ type: 'revalidateAll', uid: 'r1' });
  }
  expect(await compare([plain('/b?x=1')])).toMatch(/fwd=stale/);
  for (const edge of [fast, slow]) for (const path of PATHS) await edge.get(path);
});

const SEED = Number(process.env.WEIR_TEST_SEED ?? 20_261_122);

/** Pieces of requests, good and bad, that stand beside each other in every order. */
const line = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...FUZZED).map((path) => `GET ${path} HTTP/1.1\r\n`) },
  { weight: 2, arbitrary: fc.constantFrom(...FUZZED).map((path) => `HEAD ${path} HTTP/1.1\r\n`) },
  fc.constantFrom(
    'GET  /a HTTP/1.1\r\n',
    'GET /a HTTP/1.1\n',
    'GET /a\0 HTTP/1.1\r\n',
    'GET /a#f HTTP/1.1\r\n',
    'GET //a HTTP/1.1\r\n',
    'GET /%61 HTTP/1.1\r\n',
    'GET /%zz HTTP/1.1\r\n',
    'GET /a|b HTTP/1.1\r\n',
    'GET http://video.example.com/a HTTP/1.1\r\n',
    'GET * HTTP/1.1\r\n',
    'get /a HTTP/1.1\r\n',
    'GET /a HTTP/1.2\r\n',
    'GET /a HTTP/2.0\r\n',
    '\r\nGET /a HTTP/1.1\r\n',
  ),
);
const harmless = fc.constantFrom(
  'User-Agent: x\r\n',
  'accept: */*\r\n',
  'Cookie: a=b; c="d"\r\n',
  'Connection: keep-alive\r\n',
  'Accept-Encoding: gzip, br\r\n',
  'Referer: http://x/\r\n',
  'sec-fetch-mode: cors\r\n',
);
const headerField = fc.oneof(
  { weight: 6, arbitrary: harmless },
  fc.constantFrom(
    'HOST: VIDEO.example.com:80\r\n',
    'Host: v2.example.com\r\n',
    'Host: video.example.com:99999\r\n',
    'Host:video.example.com\r\n',
    'Host: video.example.com.\r\n',
    'Host: other\r\n',
    'Accept:\r\n',
    'Accept : x\r\n',
    ' folded\r\n',
    'Accept: x\n',
    'Accept: a\rb\r\n',
    'Accept: a\0b\r\n',
    'Accept:  x \t\r\n',
    'Accept: \xe9\r\n',
    'Content-Length: 0\r\n',
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Connection: close\r\n',
    'Connection: keep-alive, x\r\n',
    'Range: bytes=0-1\r\n',
    'range: bytes=-3\r\n',
    'Range: bytes=450-\r\n',
    'Range: bytes=99999999-\r\n',
    'Range: bytes=5-2\r\n',
    'If-None-Match: *\r\n',
    'Authorization: Basic eA==\r\n',
    'CDN-Loop: weir-zz-1\r\n',
    'Upgrade: websocket\r\n',
    'Via: 1.1 x\r\n',
    '__proto__: x\r\n',
    `X: ${'y'.repeat(4_000)}\r\n`,
  ),
);
const host = fc.oneof(
  { weight: 9, arbitrary: fc.constant([`Host: ${HOST}\r\n`]) },
  fc.constantFrom([], ['Host: other\r\n'], [`Host: ${HOST}\r\n`, `Host: ${HOST}\r\n`]),
);
const end = fc.oneof(
  { weight: 9, arbitrary: fc.constant('\r\n') },
  fc.constantFrom('\n', '', '\r\nGET ', '\r\n\r\n'),
);
const request = fc
  .tuple(line, fc.array(headerField, { maxLength: 2 }), host, fc.array(headerField, { maxLength: 2 }), end)
  .map(([first, before, hosts, behind, last]) => [first, ...before, ...hosts, ...behind, last].join(''));

test('whatever bytes come, the same bytes go back', async () => {
  const before = await hits(fast);
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 3 }), async (pieces) => {
      await compare(pieces);
    }),
    { seed: SEED, numRuns: Number(process.env.WEIR_TEST_RUNS ?? 150) },
  );
  // A fuzz test that never meets the fast path would hold it to nothing.
  expect((await hits(fast)) - before).toBeGreaterThan(50);
});

test('the grammar takes no byte more than whole requests, and refuses every mutilated one', () => {
  const read = plainRequestReader(readLimits(edgeSettings.parse({}).limits));
  const whole = plain('/a');
  expect(read(Buffer.from(whole))).toMatchObject([{ method: 'GET', url: '/a', host: HOST, text: whole }]);
  expect(read(Buffer.from(whole + whole))).toMatchObject([{ text: whole }, { text: whole }]);
  for (let at = 0; at < whole.length; at++) expect(read(Buffer.from(whole.slice(0, at)))).toBeUndefined();
  expect(read(Buffer.from(`${whole}G`))).toBeUndefined();
});
