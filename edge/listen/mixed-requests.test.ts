/**
 * Hits, misses and all that lies between them on one connection, one behind the other and several at once: held against an
 * edge on which every request goes through node:http.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { PATIENCE_MS, sendPieces } from '../testing/pieces.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { startTestEdge, type TestEdge } from '../testing/test-edge.ts';

const HOST = 'video.example.com';
const SEED = Number(process.env.WEIR_TEST_SEED ?? 20_261_123);

let origin: ScriptOrigin;
let fast: TestEdge;
let slow: TestEdge;

beforeAll(async () => {
  origin = await startScriptOrigin((request, response) => {
    const [, kind = ''] = /^\/([a-z]+)/.exec(request.url ?? '') ?? [];
    const { status = 200, size = 500, fields = {}, isChunked = false } = KINDS[kind] ?? {};
    const length = isChunked ? {} : { 'content-length': String(size) };
    response.writeHead(status, {
      'cache-control': 'max-age=86400',
      etag: '"1"',
      ...(status === 204 ? {} : length),
      ...fields,
    });
    response.end(request.method === 'HEAD' || status === 204 ? undefined : Buffer.alloc(size, kind));
  });
  const clock = new FakeClock(Math.floor(Date.now() / 1_000) * 1_000);
  fast = await startTestEdge({ origin: origin.url, clock });
  slow = await startTestEdge({ origin: origin.url, clock, fastPath: false });
  for (const edge of [fast, slow]) for (const path of [...STORED, ...STORED]) await edge.get(path);
});

afterAll(async () => {
  for (const edge of [fast, slow]) {
    await edge.stop();
    await edge.remove();
  }
  await origin.stop();
});

interface Kind {
  status?: number;
  size?: number;
  fields?: Record<string, string>;
  isChunked?: boolean;
}

/** What the origin answers, by the first word of the path. */
const KINDS: Record<string, Kind> = {
  small: {},
  large: { size: 100_000 },
  file: { size: 700_000 },
  chunked: { size: 20_000, isChunked: true },
  empty: { size: 0 },
  nothing: { status: 204 },
  missing: { status: 404, size: 20 },
  broken: { status: 500, size: 20 },
  moved: { status: 301, size: 0, fields: { location: '/small/x' } },
  own: { fields: { 'cache-control': 'private' } },
  cookie: { fields: { 'set-cookie': 'a=b', 'cache-control': 'no-store' } },
  varied: { fields: { vary: 'Accept-Language' } },
  latin: { fields: { 'x-name': 'caf\xe9' } },
};
const STORED = ['/small/stored', '/large/stored', '/file/stored'];

const request = (line: string, ...fields: string[]) =>
  `${[line, `Host: ${HOST}`, 'User-Agent: curl/8', ...fields].join('\r\n')}\r\n\r\n`;

/** Each side makes its Date where the origin's is not stored. */
const undated = (text: string) =>
  text
    .replace(/^date: .*$/gim, 'date: now')
    .replace(/([a-z]{4,7})\1{9,}/g, ({ length }) => `(${length} bytes)`);

async function compare(pieces: readonly string[]): Promise<string> {
  const [quick, plain] = await Promise.all(
    [fast, slow].map(({ port }) => sendPieces(port, pieces, PATIENCE_MS)),
  );
  expect(undated(quick ?? '')).toBe(undated(plain ?? ''));
  return quick ?? '';
}

const fastHits = () => fast.metric('fast_hits_total');

test('a connection that had a miss, an answer for one client and an error has its hits as fast as before', async () => {
  const before = await fastHits();
  const paths = ['/small/1', '/own/1', '/missing/1', '/chunked/1', '/%zz'].flatMap((path) => [
    path,
    '/small/stored',
  ]);
  await compare(paths.slice(0, -1).map((path) => request(`GET ${path} HTTP/1.1`)));
  expect((await fastHits()) - before).toBe(4);
});

test('requests that come at once are answered in order, hits among them fast', async () => {
  const before = await fastHits();
  const paths = ['/small/stored', '/large/2', '/file/stored', '/small/stored', '/chunked/2', '/large/stored'];
  const reply = await compare([paths.map((path) => request(`GET ${path} HTTP/1.1`)).join('')]);
  expect(reply.match(/^cache-status: .*$/gm)).toEqual([
    'cache-status: zz-1; hit; ttl=86400',
    'cache-status: zz-1; fwd=uri-miss; ttl=86400; stored',
    'cache-status: zz-1; hit; ttl=86400',
    'cache-status: zz-1; hit; ttl=86400',
    'cache-status: zz-1; fwd=uri-miss; ttl=86400; stored',
    'cache-status: zz-1; hit; ttl=86400',
  ]);
  expect((await fastHits()) - before).toBe(4);
});

test('a request that is told to go on hears it before its answer, or not at all', async () => {
  const first = request('GET /large/expected HTTP/1.1');
  const second = request('GET /small/stored HTTP/1.1', 'Expect: 100-continue');
  const alone = await sendPieces(fast.port, [second], PATIENCE_MS);
  expect(undated(alone)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  const behind = await sendPieces(fast.port, [first + second], PATIENCE_MS);
  const answered = undated(behind).split('(100000 bytes)').at(-1);
  expect(answered).toMatch(
    /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 200 OK\r\n(?:.+\r\n)+\r\n\(500 bytes\)$/,
  );
});

/** A request for something new is for something that no other asks for: who comes first would be chance. */
let unique = 0;
const path = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...STORED).map((stored) => () => stored) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(...Object.keys(KINDS)).map((kind) => () => `/${kind}/${++unique}`),
  },
);
const field = fc.constantFrom(
  'Accept: */*',
  'Cache-Control: no-cache',
  'Cache-Control: max-age=0',
  'Pragma: no-cache',
  'X-What: 1',
  'x-a: 1\r\nX-A: 2',
  'Range: bytes=0-9',
  'Range: bytes=0-9,20-29',
  'Range: bytes=99999999-',
  'If-None-Match: "1"',
  'If-Range: "1"',
  'Authorization: Basic eA==',
  'Accept-Language: de',
  'Via: 1.1 x',
  'X-Forwarded-For: 192.0.2.1',
  'TE: trailers',
  'Expect: 100-continue',
  'Connection: keep-alive',
);
const bodiless = fc
  .tuple(
    fc.constantFrom('GET', 'GET', 'GET', 'HEAD'),
    path,
    fc.oneof(fc.constant([]), fc.array(field, { maxLength: 2 })),
  )
  .map(([method, pathOf, fields]) => () => {
    const asked = pathOf();
    // What has the origin asked about changes what is stored: for whom beside it, would be chance.
    const allowed = fields.filter((each) => !(STORED.includes(asked) && /no-cache|max-age|^Auth/.test(each)));
    return request(`${method} ${asked} HTTP/1.1`, ...allowed);
  });
const withBody = fc
  .tuple(
    fc.constantFrom('POST', 'PUT', 'GET'),
    fc.constantFrom('Content-Length: 5', 'Transfer-Encoding: chunked'),
  )
  .map(([method, framing]) => () => {
    const body = framing.startsWith('C') ? 'hello' : '5\r\nhello\r\n0\r\n\r\n';
    return request(`${method} /own/${++unique} HTTP/1.1`, framing) + body;
  });
const piece = fc
  .array(fc.oneof({ weight: 6, arbitrary: bodiless }, withBody), { minLength: 1, maxLength: 3 })
  .map((made) => () => {
    const text = made.map((make) => make()).join('');
    // Whether it is told to go on before its answer is there: chance, behind others.
    return made.length === 1 ? text : text.replaceAll('Expect: 100-continue\r\n', '');
  });
const last = fc.constantFrom(
  () => '',
  () => request('GET /small/stored HTTP/1.1', 'Connection: close'),
  () => request('GET /small/stored HTTP/1.0'),
  () => 'GET /small/stored HTTP/1.1\r\nHost: a b\r\n\r\n',
  () => 'what is this\r\n\r\n',
);

test('whatever is asked for on one connection, the same bytes come back', async () => {
  const before = [
    await fastHits(),
    await fast.metric('requests_total', '{domain="demo/video",result="miss"}'),
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 4 }), last, async (pieces, end) => {
      await compare([...pieces, end].map((make) => make()).filter((text) => text !== ''));
    }),
    { seed: SEED, numRuns: Number(process.env.WEIR_TEST_RUNS ?? 100) },
  );
  const misses = await fast.metric('requests_total', '{domain="demo/video",result="miss"}');
  // A test that never met both would hold them to nothing.
  expect((await fastHits()) - (before[0] ?? 0)).toBeGreaterThan(50);
  expect(misses - (before[1] ?? 0)).toBeGreaterThan(50);
});
