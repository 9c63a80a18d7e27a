import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

const body = Buffer.from(Array.from({ length: 700_000 }, (_, index) => index % 251));
const HEADERS = {
  'cache-control': 'max-age=60',
  etag: '"v1"',
  'last-modified': 'Sun, 22 Nov 2026 10:00:00 GMT',
};

beforeEach(async () => {
  origin = await startScriptOrigin((_request, response) =>
    response.writeHead(200, { ...HEADERS, 'content-length': String(body.length) }).end(body),
  );
  edge = await startTestEdge({ origin: origin.url });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

describe.each(['stored', 'not stored yet'])('a range of what is %s', (state) => {
  test.each([
    ['bytes=0-0', 0, 0],
    ['bytes=10-', 10, 699_999],
    ['bytes=262143-262144', 262_143, 262_144],
    ['bytes=-5', 699_995, 699_999],
    ['bytes=699999-900000', 699_999, 699_999],
  ])('%s', async (range, first, last) => {
    if (state === 'stored') await edge.get('/a');
    const reply = await edge.get('/a', { headers: { range } });
    expect(reply.status).toBe(206);
    expect(reply.headers['content-range']).toBe(`bytes ${first}-${last}/700000`);
    expect(reply.headers['content-length']).toBe(String(last - first + 1));
    expect(reply.body.equals(body.subarray(first, last + 1))).toBe(true);
    expect(origin.requests).toHaveLength(1);
    expect(origin.requests[0]?.headers).not.toHaveProperty('range');
    // The fetch was for the whole.
    await eventually(async () => expect((await edge.get('/a')).headers['cache-status']).toMatch(/hit/));
    expect((await edge.get('/a')).body.equals(body)).toBe(true);
  });
});

test.each([
  ['bytes=700000-', 416],
  ['bytes=-0', 416],
  ['bytes=5-1,7-8', 200],
  [`bytes=${Array.from({ length: 17 }, (_, index) => `${index * 1_000}-${index * 1_000}`).join(',')}`, 200],
  ['bytes=700000-,800000-', 416],
  ['bytes=5-1', 200],
  ['lines=1-2', 200],
])('%s -> %d', async (range, status) => {
  await edge.get('/a');
  const reply = await edge.get('/a', { headers: { range } });
  expect(reply.status).toBe(status);
  if (status === 416) expect(reply.headers['content-range']).toBe('bytes */700000');
  expect(reply.body).toHaveLength(status === 416 ? 0 : body.length);
});

test.each([
  ['"v1"', 206],
  ['"v2"', 200],
  ['W/"v1"', 200],
  ['Sun, 22 Nov 2026 10:00:00 GMT', 206],
  ['Sun, 22 Nov 2026 10:00:01 GMT', 200],
])('If-Range %s -> %d', async (ifRange, status) => {
  await edge.get('/a');
  const headers = { range: 'bytes=1-2', 'if-range': ifRange };
  expect((await edge.get('/a', { headers })).status).toBe(status);
});

test('If-Range with a date of the second in which the answer was made: it may be of two versions (RFC 9110 8.8.2.2)', async () => {
  const made = new Date(edge.clock.now()).toUTCString();
  const before = new Date(edge.clock.now() - 1_000).toUTCString();
  const statuses: number[] = [];
  for (const modified of [made, before]) {
    origin.answer((_request, response) =>
      response
        .writeHead(200, { 'cache-control': 'max-age=60', date: made, 'last-modified': modified })
        .end('hello'),
    );
    const path = `/${statuses.length}`;
    const headers = { range: 'bytes=1-2', 'if-range': modified };
    await edge.get(path);
    statuses.push((await edge.get(path, { headers })).status);
  }
  expect(statuses).toEqual([200, 206]);
});

test('a range is answered as its bytes arrive, before the rest has come', async () => {
  let open: ServerResponse | undefined;
  origin.answer((_request, response) => {
    response.writeHead(200, { ...HEADERS, 'content-length': String(body.length) });
    response.write(body.subarray(0, 300_000));
    open = response;
  });
  const reply = await edge.get('/a', { headers: { range: 'bytes=299990-299999' } });
  expect(reply.status).toBe(206);
  expect(reply.body.equals(body.subarray(299_990, 300_000))).toBe(true);
  const joined = await edge.get('/a', { headers: { range: 'bytes=5-9' } });
  expect(joined.headers['cache-status']).toMatch(/collapsed/);
  expect(joined.body.equals(body.subarray(5, 10))).toBe(true);
  open?.end(body.subarray(300_000));
  expect(origin.requests).toHaveLength(1);
});

test('a range far behind what has come goes to the origin by itself, while the fill goes on', async () => {
  const length = 20 * 2 ** 20;
  let open: ServerResponse | undefined;
  origin.answer((request, response) => {
    if (request.headers.range !== undefined) {
      response
        .writeHead(206, { ...HEADERS, 'content-range': `bytes 20000000-20000003/${length}` })
        .end('part');
      return;
    }
    response.writeHead(200, { ...HEADERS, 'content-length': String(length) });
    response.write(Buffer.alloc(1_000));
    open = response;
  });
  const reply = await edge.get('/a', { headers: { range: 'bytes=20000000-20000003' } });
  expect(reply).toMatchObject({ status: 206, text: 'part' });
  expect(reply.headers['cache-status']).toBe('zz-1; fwd=partial; detail=far-range');
  expect(origin.requests).toHaveLength(2);
  open?.end(Buffer.alloc(length - 1_000));
  await eventually(async () => expect(await edge.metric('stored_bytes', '{tier="disk"}')).toBe(length));
});

test('… and is waited for where the origin does not give it', async () => {
  const whole = Buffer.from(Array.from({ length: 10 * 2 ** 20 }, (_, at) => at % 251));
  const open = Promise.withResolvers<ServerResponse>();
  origin.answer((request, response) => {
    if (request.headers.range !== undefined) return response.destroy();
    response.writeHead(200, { ...HEADERS, 'content-length': String(whole.length) });
    response.write(whole.subarray(0, 1_000));
    open.resolve(response);
  });
  const asked = edge.get('/a', { headers: { range: 'bytes=10000000-10000003' } });
  // Tried a second time, as each request is that a connection took with it.
  await eventually(() => expect(origin.requests).toHaveLength(3));
  (await open.promise).end(whole.subarray(1_000));
  const reply = await asked;
  expect(reply.status).toBe(206);
  expect(reply.body.equals(whole.subarray(10_000_000, 10_000_004))).toBe(true);
  expect(reply.headers['cache-status']).toMatch(/^zz-1; fwd=uri-miss; ttl=\d+; stored$/);
});

test('a 206 of the origin is not stored', async () => {
  origin.answer((_request, response) =>
    response.writeHead(206, { ...HEADERS, 'content-range': 'bytes 0-3/9' }).end('part'),
  );
  await edge.get('/a');
  expect((await edge.get('/a')).headers['cache-status']).toMatch(/detail=status/);
});

test('a Content-Range on a 200 is not told beside that of a part (RFC 9110 14.4)', async () => {
  const text = '123456789'.repeat(100);
  origin.answer((_request, response) =>
    response.writeHead(200, { ...HEADERS, 'content-range': 'bytes 0-8/9' }).end(text),
  );
  await edge.get('/a');
  const part = await edge.get('/a', { headers: { range: 'bytes=1-2' } });
  expect(part).toMatchObject({ status: 206, text: '23', headers: { 'content-range': 'bytes 1-2/900' } });
  const parts = await edge.get('/a', { headers: { range: 'bytes=1-2,400-401' } });
  expect(parts.headers['content-type']).toMatch(/^multipart\/byteranges/);
  expect(parts.headers).not.toHaveProperty('content-range');
});

test('a range of what is not for all is asked of the origin as it is', async () => {
  origin.answer((request, response) => {
    const partial = request.headers.range === 'bytes=0-3';
    response
      .writeHead(partial ? 206 : 200, { 'cache-control': 'private' })
      .end(partial ? 'part' : 'whole body');
  });
  for (let turn = 0; turn < 2; turn++) {
    expect(await edge.get('/a', { headers: { range: 'bytes=0-3' } })).toMatchObject({
      status: 206,
      text: 'part',
    });
  }
  // Once to learn it, then two as they are.
  expect(origin.requests).toHaveLength(3);
});

describe('several ranges (RFC 9110 15.3.7.2):', () => {
  /** Fetched, and at rest: what is still coming is sent whole. */
  async function stored(path: string): Promise<void> {
    await edge.get(path);
    await eventually(async () => expect((await edge.get(path)).headers['cache-status']).toMatch(/hit/));
  }

  /** The parts by their Content-Range. */
  function partsOf({
    body: whole,
    headers,
  }: {
    body: Buffer;
    headers: { 'content-type'?: string | undefined };
  }) {
    const boundary = /boundary=(.*)$/.exec(headers['content-type'] ?? '')?.[1] ?? '';
    const [, ...parts] = `\r\n${whole.toString('latin1')}`.split(`\r\n--${boundary}`);
    expect(parts.pop()).toBe('--\r\n');
    return parts.map((part) => {
      const [, head = '', content = ''] = /^\r\n([\s\S]*?)\r\n\r\n([\s\S]*)$/.exec(part) ?? [];
      return { head, content: Buffer.from(content, 'latin1') };
    });
  }

  test.each([
    [
      'in order',
      'bytes=0-9,300000-300009,-10',
      [
        [0, 9],
        [300_000, 300_009],
        [699_990, 699_999],
      ],
    ],
    [
      'across blocks of the file',
      'bytes=262100-262200,524200-524400',
      [
        [262_100, 262_200],
        [524_200, 524_400],
      ],
    ],
    [
      'not in order, and overlapping: sorted and merged',
      'bytes=5000-5009,0-9,5-20,1000-1009',
      [
        [0, 20],
        [1000, 1009],
        [5000, 5009],
      ],
    ],
    [
      'one that lies behind the end is left out',
      'bytes=0-9,1000-1009,900000-',
      [
        [0, 9],
        [1000, 1009],
      ],
    ],
  ] satisfies [string, string, [number, number][]][])('%s', async (_name, range, expected) => {
    await stored('/a');
    const reply = await edge.get('/a', { headers: { range } });
    expect(reply.status).toBe(206);
    expect(reply.headers['content-type']).toMatch(/^multipart\/byteranges; boundary=/);
    expect(reply.headers).not.toHaveProperty('content-range');
    expect(reply.headers['content-length']).toBe(String(reply.body.length));
    const parts = partsOf(reply);
    expect(parts.map(({ head }) => head)).toEqual(
      expected.map(([first, last]) => `Content-Range: bytes ${first}-${last}/700000`),
    );
    for (const [index, [first, last]] of expected.entries()) {
      expect(parts[index]?.content.equals(body.subarray(first, last + 1))).toBe(true);
    }
    expect(origin.requests).toHaveLength(1);
  });

  test('of a small object in memory, with its type', async () => {
    origin.answer((_request, response) =>
      response.writeHead(200, { ...HEADERS, 'content-type': 'text/plain' }).end('0123456789'.repeat(100)),
    );
    await stored('/s');
    const reply = await edge.get('/s', { headers: { range: 'bytes=0-3,500-503' } });
    expect(partsOf(reply).map(({ head, content }) => [head, content.toString()])).toEqual([
      ['Content-Type: text/plain\r\nContent-Range: bytes 0-3/1000', '0123'],
      ['Content-Type: text/plain\r\nContent-Range: bytes 500-503/1000', '0123'],
    ]);
  });

  test('two that touch are one range, and the whole is sent where that is shorter', async () => {
    await stored('/a');
    const touching = await edge.get('/a', { headers: { range: 'bytes=0-9,10-19' } });
    expect(touching.headers['content-range']).toBe('bytes 0-19/700000');
    expect(touching.body.equals(body.subarray(0, 20))).toBe(true);
    const most = await edge.get('/a', { headers: { range: 'bytes=0-349900,350000-699999' } });
    expect(most.status).toBe(200);
    expect(most.body.equals(body)).toBe(true);
  });

  test('If-Range of another version: the whole', async () => {
    await stored('/a');
    const headers = { range: 'bytes=0-9,1000-1009', 'if-range': '"v2"' };
    expect((await edge.get('/a', { headers })).status).toBe(200);
  });

  test('of what is still coming: the whole', async () => {
    const reply = await edge.get('/a', { headers: { range: 'bytes=0-9,1000-1009' } });
    expect(reply.status).toBe(200);
    expect(reply.body.equals(body)).toBe(true);
  });
});
