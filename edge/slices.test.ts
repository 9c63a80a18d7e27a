/** Objects that a rule has stored in slices, over real sockets: what is fetched, what is stored, what fits together. */
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EdgeRule } from '../contract/plans/edge-plan.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { SLICE_BYTES } from './cache/slice.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge } from './testing/test-edge.ts';

const rules: EdgeRule[] = [{ match: {}, bypass: false, slices: true, query: { mode: 'Keep', names: [] } }];
/** Three slices and a half. */
const SIZE = 3.5 * SLICE_BYTES;

let origin: ScriptOrigin;
let edge: TestEdge;
let version: number;
/** Answers that wait to be let go, by the slice that they begin with. */
let held: Map<number, () => void>;
let holds: (slice: number) => boolean;

const bodyOf = (path: string) => {
  const body = Buffer.alloc(SIZE, `${path} v${version} `);
  for (let at = 0; at < SIZE; at += 4_096) body.writeUInt32BE(at, at);
  return body;
};

beforeEach(async () => {
  version = 1;
  held = new Map();
  holds = () => false;
  origin = await startScriptOrigin(({ url = '', headers }, response) => ranged(url, headers.range, response));
  edge = await startTestEdge({ origin: origin.url, rules });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

function ranged(url: string, range: string | undefined, response: ServerResponse, etag = `"v${version}"`) {
  const body = bodyOf(url);
  const [, first = '0', last = String(SIZE)] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  const part = body.subarray(Number(first), Number(last) + 1);
  const headers = { 'cache-control': 'max-age=3600', etag, 'content-length': part.length, 'cache-tag': 't' };
  if (range === undefined) return response.writeHead(200, headers).end(body);
  if (part.length === 0) return response.writeHead(416, { 'content-range': `bytes */${SIZE}` }).end();
  const end = Number(first) + part.length - 1;
  response.writeHead(206, { ...headers, 'content-range': `bytes ${first}-${end}/${SIZE}` });
  const slice = Number(first) / SLICE_BYTES;
  if (!holds(slice)) return response.end(part);
  response.write(part.subarray(0, 1_000));
  held.set(slice, () => response.end(part.subarray(1_000)));
}

const asked = () => origin.requests.map(({ headers }) => headers.range ?? 'whole');
const sliceRange = (slice: number) => `bytes=${slice * SLICE_BYTES}-${(slice + 1) * SLICE_BYTES - 1}`;
const get = (path: string, range?: string, more = {}) =>
  edge.get(path, { headers: { ...(range && { range }), ...more } });
const onDisk = () => edge.metric('stored_objects', '{tier="disk"}');

describe('only the slices that are wanted are fetched, and once:', () => {
  test.each([
    ['inside of one', 2 * SLICE_BYTES + 10, 2 * SLICE_BYTES + 19, [2]],
    ['across two', SLICE_BYTES - 5, SLICE_BYTES + 4, [0, 1]],
    ['to the end', 3 * SLICE_BYTES, SIZE - 1, [3]],
  ])('%s', async (_name, first, last, slices) => {
    for (let turn = 0; turn < 2; turn++) {
      const reply = await get('/a', `bytes=${first}-${last}`);
      expect(reply.status).toBe(206);
      expect(reply.headers['content-range']).toBe(`bytes ${first}-${last}/${SIZE}`);
      expect(reply.body.equals(bodyOf('/a').subarray(first, last + 1))).toBe(true);
      expect(reply.headers['cache-status']).toMatch(turn === 0 ? /fwd=uri-miss.*; stored/ : /; hit/);
      await eventually(async () => expect(await onDisk()).toBe(slices.length));
    }
    expect(asked()).toEqual(slices.map(sliceRange));
  });

  test('the whole, of which one was there', async () => {
    await get('/a', 'bytes=1048576-1048580');
    const reply = await get('/a');
    expect(reply.status).toBe(200);
    expect(reply.headers['content-length']).toBe(String(SIZE));
    expect(reply.headers).not.toHaveProperty('content-range');
    expect(reply.body.equals(bodyOf('/a'))).toBe(true);
    expect(asked()).toEqual([1, 0, 2, 3].map(sliceRange));
  });

  test('from the end, several at once, and a HEAD', async () => {
    const tail = await get('/a', 'bytes=-5');
    expect(tail.body.equals(bodyOf('/a').subarray(-5))).toBe(true);
    const parts = await get('/a', 'bytes=0-1,1048576-1048577');
    expect(parts.headers['content-type']).toMatch(/^multipart\/byteranges/);
    expect(parts.body.includes('Content-Range: bytes 1048576-1048577/')).toBe(true);
    const head = await edge.get('/a', { method: 'HEAD' });
    expect(head.headers['content-length']).toBe(String(SIZE));
    expect(head.headers['cache-status']).toMatch(/; hit/);
    expect(asked()).toEqual([0, 3, 1].map(sliceRange));
  });

  test('for any number who wait, each as the bytes come, while another slice is served', async () => {
    holds = (slice) => slice === 1;
    const waiting = Array.from({ length: 5 }, () => get('/a', 'bytes=1048576-2097151'));
    await eventually(() => expect(held.has(1)).toBe(true));
    // Of one that has begun; of one that has not.
    expect((await get('/a', 'bytes=1048576-1048585')).status).toBe(206);
    const other = await get('/a', 'bytes=3145728-3145737');
    expect(other.body.equals(bodyOf('/a').subarray(3_145_728, 3_145_738))).toBe(true);
    held.get(1)?.();
    for (const reply of await Promise.all(waiting)) {
      expect(reply.body.equals(bodyOf('/a').subarray(1_048_576, 2_097_152))).toBe(true);
    }
    expect(asked()).toEqual([1, 3].map(sliceRange));
  });
});

test('behind the end: 416, by the length that the first slice tells', async () => {
  const reply = await get('/a', `bytes=${SIZE}-`);
  expect(reply.status).toBe(416);
  expect(reply.headers['content-range']).toBe(`bytes */${SIZE}`);
});

test('conditions are about the object: 304, and the whole where If-Range does not hold', async () => {
  await get('/a', 'bytes=0-9');
  expect((await get('/a', 'bytes=0-9', { 'if-none-match': '"v1"' })).status).toBe(304);
  expect((await get('/a', 'bytes=0-9', { 'if-range': '"v0"' })).status).toBe(200);
});

test('a prefetch fetches the slices that are not there, and a second one none', async () => {
  await get('/a', 'bytes=0-9');
  await eventually(async () => expect(await onDisk()).toBe(1));
  for (const objects of [1, 0]) {
    const urls = ['http://video.example.com/a'];
    const command = { type: 'prefetch', domain: 'uid-video', concurrency: 2, perSecond: 1_000 } as const;
    expect(await edge.command({ ...command, uid: `prefetch-${objects}`, urls })).toMatchObject({ objects });
    expect(asked()).toEqual([0, 1, 2, 3].map(sliceRange));
    await eventually(async () => expect(await onDisk()).toBe(4));
  }
  expect((await get('/a', `bytes=${SIZE - 9}-`)).headers['cache-status']).toMatch(/; hit/);
});

test('slices are kept over a restart', async () => {
  await get('/a', 'bytes=1048576-2097151');
  await eventually(async () => expect(await onDisk()).toBe(1));
  const state = { state: edge.state, clock: edge.clock };
  await edge.stop();
  edge = await startTestEdge({ origin: origin.url, rules, ...state });
  expect((await get('/a', 'bytes=1048576-1048577')).headers['cache-status']).toMatch(/; hit/);
});

test('a stale slice is confirmed by itself', async () => {
  await get('/a', 'bytes=0-9');
  await eventually(async () => expect(await onDisk()).toBe(1));
  edge.clock.advance(3_700_000);
  origin.answer((request, response) => {
    expect(request.headers['if-none-match']).toBe('"v1"');
    expect(request.headers.range).toBe(sliceRange(0));
    response.writeHead(304, { 'cache-control': 'max-age=3600', etag: '"v1"' }).end();
  });
  const reply = await get('/a', 'bytes=0-9');
  expect(reply.headers['cache-status']).toMatch(/fwd-status=304/);
  expect(reply.body.equals(bodyOf('/a').subarray(0, 10))).toBe(true);
});

describe('who wants the origin’s word (RFC 9111 5.2.1) has it of the slices that are wanted, and of nothing else:', () => {
  beforeEach(async () => {
    await get('/a');
    await eventually(async () => expect(await onDisk()).toBe(4));
    origin.requests.length = 0;
    edge.clock.advance(10_000);
  });

  test.each(['no-cache', 'max-age=0', 'max-age=5', 'min-fresh=3595'])('%s, confirmed', async (directive) => {
    origin.answer((request, response) => {
      expect(request.headers['if-none-match']).toBe('"v1"');
      response.writeHead(304, { 'cache-control': 'max-age=3600', etag: '"v1"' }).end();
    });
    const reply = await get('/a', 'bytes=1048570-1048579', { 'cache-control': directive });
    expect(reply).toMatchObject({ status: 206, body: bodyOf('/a').subarray(1_048_570, 1_048_580) });
    expect(reply.headers['cache-status']).toMatch(/^zz-1; fwd=request; fwd-status=304/);
    expect(asked()).toEqual([0, 1].map(sliceRange));
  });

  test('another version is taken whole, and stored', async () => {
    version++;
    const reply = await get('/a', undefined, { 'cache-control': 'no-cache' });
    expect(reply.headers).toMatchObject({
      etag: '"v2"',
      'cache-status': expect.stringMatching(/fwd=request/),
    });
    expect(reply.body.equals(bodyOf('/a'))).toBe(true);
    expect(asked()).toEqual([0, 1, 2, 3].map(sliceRange));
    // Of the last one the end is sent before it is stored.
    await eventually(async () => {
      const hit = await get('/a', `bytes=${SIZE - 9}-`);
      expect(hit.headers).toMatchObject({ etag: '"v2"', 'cache-status': expect.stringMatching(/; hit/) });
    });
  });

  test('what is fresh enough for it is a hit', async () => {
    const reply = await get('/a', 'bytes=0-9', { 'cache-control': 'max-age=60' });
    expect(reply.headers['cache-status']).toMatch(/; hit/);
    expect(asked()).toEqual([]);
  });
});

describe('stale-while-revalidate, slice by slice (RFC 5861 3):', () => {
  const within = 'max-age=3600, stale-while-revalidate=600';

  beforeEach(async () => {
    await edge.publish([
      domainOf(origin.url, { rules: rules.map((rule) => ({ ...rule, staleWhileRevalidate: 600 })) }),
    ]);
    expect((await get('/a')).body.equals(bodyOf('/a'))).toBe(true);
    await eventually(async () => expect(await onDisk()).toBe(4));
    origin.requests.length = 0;
    edge.clock.advance(3_700_000);
  });

  test('all get the stale one at once, one question goes out, and what it confirms is fresh', async () => {
    let answer = () => {};
    origin.answer((_request, response) => {
      answer = () => response.writeHead(304, { 'cache-control': within, etag: '"v1"' }).end();
    });
    const replies = await Promise.all([1, 2, 3].map(() => get('/a', 'bytes=0-9')));
    for (const reply of replies) {
      expect(reply.headers['cache-status']).toMatch(/^zz-1; hit; ttl=-\d+$/);
      expect(reply.body.equals(bodyOf('/a').subarray(0, 10))).toBe(true);
    }
    await eventually(() => expect(asked()).toEqual([sliceRange(0)]));
    answer();
    await eventually(async () =>
      expect((await get('/a', 'bytes=0-9')).headers['cache-status']).toMatch(/; hit; ttl=\d+$/),
    );
    expect(asked()).toEqual([sliceRange(0)]);
  });

  test('a newer version takes its place whole: never are two put together', async () => {
    const old = bodyOf('/a').subarray(0, 10);
    version++;
    expect((await get('/a', 'bytes=0-9')).body.equals(old)).toBe(true);
    await eventually(async () => expect((await get('/a', 'bytes=0-9')).headers.etag).toBe('"v2"'));
    const whole = await get('/a');
    expect(whole.headers.etag).toBe('"v2"');
    expect(whole.body.equals(bodyOf('/a'))).toBe(true);
  });

  test('not for who wants something fresher', async () => {
    const reply = await get('/a', 'bytes=0-9', { 'cache-control': 'max-age=60' });
    expect(reply.headers['cache-status']).not.toMatch(/; hit/);
  });
});

test.each([500, 503])(
  'stale-if-error, slice by slice: not %d, but what is stored (RFC 5861 4)',
  async (code) => {
    await edge.publish([
      domainOf(origin.url, { rules: rules.map((rule) => ({ ...rule, staleIfError: 600 })) }),
    ]);
    await get('/a');
    await eventually(async () => expect(await onDisk()).toBe(4));
    edge.clock.advance(3_700_000);
    origin.requests.length = 0;
    origin.answer((_request, response) => response.writeHead(code).end('sorry'));
    const reply = await get('/a', 'bytes=0-9');
    expect(reply.status).toBe(206);
    expect(reply.headers['cache-status']).toMatch(new RegExp(`^zz-1; fwd=stale; fwd-status=${code}; ttl=-`));
    expect((await get('/a')).body.equals(bodyOf('/a'))).toBe(true);
    expect(asked()).not.toContain('whole');
  },
);

test('slices of two versions are never put together: the transfer breaks, the next one is of the new version', async () => {
  await get('/a', 'bytes=0-9');
  await eventually(async () => expect(await onDisk()).toBe(1));
  version++;
  edge.clock.advance(1_000);
  await expect(get('/a')).rejects.toThrow();
  const reply = await get('/a');
  expect(reply.headers.etag).toBe('"v2"');
  expect(reply.body.equals(bodyOf('/a'))).toBe(true);
});

test('… and an old slice behind a new one is fetched again', async () => {
  await get('/a', 'bytes=1048576-1048580');
  await eventually(async () => expect(await onDisk()).toBe(1));
  version++;
  edge.clock.advance(1_000);
  const reply = await get('/a');
  expect(reply.headers.etag).toBe('"v2"');
  expect(reply.body.equals(bodyOf('/a'))).toBe(true);
});

test.each([
  ['by its URL', { by: 'urls', urls: ['http://v2.example.com/a'] }],
  ['by prefix', { by: 'prefixes', prefixes: ['http://video.example.com/'] }],
  ['by tag', { by: 'tags', tags: ['T'] }],
  ['by expression', { by: 'regex', regex: '^/a$' }],
  ['with everything', { by: 'everything' }],
] as const)('a purge %s covers all slices', async (_name, target) => {
  await get('/a');
  await eventually(async () => expect(await onDisk()).toBe(4));
  version++;
  const copy = JSON.parse(JSON.stringify(target));
  const purged = await edge.command({ type: 'purge', uid: 'p', domain: 'uid-video', target: copy });
  expect(purged.objects).toBe(4);
  expect((await get('/a')).body.equals(bodyOf('/a'))).toBe(true);
});

/** The first slice with more bytes, or fewer, than its Content-Range tells. */
function longer(url: string, response: ServerResponse, more: number, framing?: Record<string, string>) {
  const body = bodyOf(url).subarray(0, SLICE_BYTES + more);
  const range = `bytes 0-${SLICE_BYTES - 1}/${SIZE}`;
  const length = { 'content-length': String(body.length) };
  const headers = { 'cache-control': 'max-age=3600', etag: `"v${version}"`, 'content-range': range };
  response.writeHead(206, { ...headers, ...(framing ?? length) }).end(body);
}

test.each([-1, 1])(
  'a slice in chunks with %d bytes beside its range breaks the transfer, and is not stored',
  async (more) => {
    origin.answer(({ url = '' }, response) =>
      longer(url, response, more, { 'transfer-encoding': 'chunked' }),
    );
    await expect(get('/a')).rejects.toThrow();
    origin.answer(({ url = '', headers }, response) => ranged(url, headers.range, response));
    const reply = await get('/a');
    expect(reply.body.equals(bodyOf('/a'))).toBe(true);
    expect(asked().filter((range) => range === sliceRange(0))).toHaveLength(2);
  },
);

describe('where there are no slices, the whole is fetched as ever:', () => {
  test.each([
    ['an origin without ranges', (url: string, response: ServerResponse) => ranged(url, undefined, response)],
    [
      'a weak ETag',
      (url: string, response: ServerResponse, range: string | undefined) =>
        ranged(url, range, response, 'W/"v1"'),
    ],
    [
      'a length that is not that of the range',
      (url: string, response: ServerResponse, range: string | undefined) =>
        range === undefined ? ranged(url, range, response) : longer(url, response, 1),
    ],
  ])('%s', async (_name, answer) => {
    origin.answer(({ url = '', headers }, response) => answer(url, response, headers.range));
    for (let turn = 0; turn < 2; turn++) {
      const reply = await get('/a', 'bytes=10-19');
      expect(reply.status).toBe(206);
      expect(reply.body.equals(bodyOf('/a').subarray(10, 20))).toBe(true);
      await eventually(async () => expect(await onDisk()).toBe(1));
    }
    expect(asked()).toEqual([sliceRange(0), 'whole']);
  });

  test('an error is told as it is', async () => {
    origin.answer((_request, response) => response.writeHead(404).end('gone'));
    expect(await get('/a', 'bytes=0-9')).toMatchObject({ status: 404, text: 'gone' });
  });

  test('an origin that does not answer is a 502', async () => {
    origin.answer((_request, response) => response.destroy());
    expect((await get('/a', 'bytes=0-9')).status).toBe(502);
  });
});

test('on the second request, as with everything: the first one goes to the origin as it is', async () => {
  const state = { state: edge.state, clock: edge.clock };
  await edge.stop();
  const settings = { edge: { disk: { admission: 'secondRequest' as const } } };
  edge = await startTestEdge({ origin: origin.url, rules, settings, ...state });
  expect((await get('/a', 'bytes=5-9')).headers['cache-status']).toMatch(/detail=first-request/);
  expect((await get('/a', 'bytes=5-9')).headers['cache-status']).toMatch(/stored/);
  await eventually(async () => expect(await onDisk()).toBe(1));
  expect(asked()).toEqual(['bytes=5-9', sliceRange(0)]);
});
