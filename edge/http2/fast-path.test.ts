/**
 * Hits over HTTP/2 that node:http2 never hears of, from outside: the same answers as an edge gives that has no hit
 * ready, whatever is asked; frames by hand for what streams may do; and windows, held to by who is asked for them.
 */
import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { secretsOf, type TestCa, type TestCertificate, testCa, tlsWith } from '../testing/certificates.ts';
import { ask, openHttp2 } from '../testing/http2-client.ts';
import {
  block,
  errorCode,
  type Frame,
  get,
  getFields,
  PREFACE,
  readFrames,
} from '../testing/http2-frames.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge } from '../testing/test-edge.ts';
import { openSecure } from '../testing/tls-exchange.ts';
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  ERRORS,
  frame,
  numberFrame,
  PADDED,
  PRIORITY,
  TYPES,
} from './frames.ts';

/** All of them are stored before. */
const PATHS = ['/a', '/b?x=1', '/large', '/file', '/not-there', '/a%20b', '//a', '/gzip', '/empty'];
const SIZES: Record<string, number> = { '/file': 700_000, '/large': 100_000, '/empty': 0 };

let ca: TestCa;
let certificate: TestCertificate;
let origin: ScriptOrigin;
let fast: TestEdge;
let slow: TestEdge;

beforeAll(async () => {
  ca = await testCa();
  certificate = await ca.issue('demo/video', ['video.example.com']);
  origin = await startScriptOrigin((request, response) => {
    const path = request.url ?? '';
    const coded = path === '/gzip' ? { 'content-encoding': 'gzip', vary: 'Accept-Encoding' } : {};
    response.writeHead(path === '/not-there' ? 404 : 200, {
      'cache-control': 'max-age=86400',
      etag: '"1"',
      'content-type': 'text/plain',
      ...coded,
    });
    response.end(Buffer.alloc(SIZES[path] ?? 500, path));
  });
  const clock = new FakeClock(Math.floor(Date.now() / 1_000) * 1_000);
  const options = {
    origin: origin.url,
    clock,
    secrets: secretsOf([certificate]),
    domains: [domainOf(origin.url, { tls: tlsWith([certificate], { hsts: 'max-age=300' }) })],
  };
  fast = await startTestEdge(options);
  slow = await startTestEdge({ ...options, fastPath: false });
  for (const edge of [fast, slow]) for (const path of [...PATHS, ...PATHS]) await edge.get(path);
});

afterAll(async () => {
  for (const edge of [fast, slow]) {
    await edge.stop();
    await edge.remove();
  }
  await origin.stop();
});

const hits = () => fast.metric('fast_hits_total');

describe('beside an edge that has no hit ready', () => {
  const fields = fc.constantFrom<Record<string, string>>(
    {},
    { 'user-agent': 'a browser', accept: '*/*', cookie: 'a=1; b=2' },
    { 'accept-encoding': 'gzip, br' },
    { range: 'bytes=1-3' },
    { range: 'bytes=-2' },
    { range: 'bytes=90000-' },
    { range: 'bytes=0-1,5-6' },
    { range: 'bytes=5-9', 'if-none-match': '"1"' },
    { range: 'bytes=5-9', 'if-range': '"1"' },
    { 'if-none-match': '"1"' },
    { 'if-none-match': 'W/"1", "3"' },
    { 'if-none-match': '*' },
    { 'if-none-match': '"2"', 'if-modified-since': 'Tue, 01 Jan 2097 00:00:00 GMT' },
    { 'if-modified-since': 'Tue, 01 Jan 2097 00:00:00 GMT' },
    { 'if-modified-since': 'Tue, 01 Jan 2002 00:00:00 GMT' },
    { 'if-modified-since': 'yesterday' },
    { 'if-none-match': '1' },
    { 'cache-control': 'no-cache, only-if-cached' },
    { 'x-odd': '1' },
    { te: 'trailers' },
    { host: 'other.example' },
    { host: 'video.example.com' },
    { ':authority': 'video.example.com:8443' },
    { ':authority': 'other.example' },
    { ':scheme': 'http' },
    { 'user-agent': '' },
    { referer: 'caf\u00e9' },
  );
  const request = fc.record({
    path: fc.constantFrom(...PATHS),
    method: fc.constantFrom('GET', 'GET', 'GET', 'GET', 'HEAD', 'HEAD', 'TRACE'),
    fields,
  });

  type Asked = { path: string; method: string; fields: Record<string, string> };

  async function answers(session: ClientHttp2Session, all: readonly Asked[]) {
    const replies = all.map(({ path, method, fields: own }) =>
      ask(session, { ':path': path, ':method': method, ...own }).then(
        ({ status, headers, text }) => ({ status, headers: { ...headers, date: '' }, text }),
        (error: Error) => error.message,
      ),
    );
    return Promise.all(replies);
  }

  test.each([2 ** 16 - 1, 1_000])('the same answers, by windows of %i bytes', async (initialWindowSize) => {
    const before = await hits();
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 12 }), async (all) => {
        const open = async (edge: TestEdge) => {
          const session = await openHttp2(edge.tlsPort, { ca: ca.ca, settings: { initialWindowSize } });
          session.setLocalWindowSize(2 ** 20);
          return session;
        };
        const [one, other] = [await open(fast), await open(slow)];
        // Twice: what is asked for again comes out of the client's table.
        for (let turn = 0; turn < 2; turn++)
          expect(await answers(one, all)).toEqual(await answers(other, all));
        one.destroy();
        other.destroy();
      }),
      { seed: 9113, numRuns: 30 },
    );
    expect((await hits()) - before).toBeGreaterThan(50);
  });

  test.each([
    ['a range in memory', '/a', { range: 'bytes=7-' }, 206, 493],
    ['a range of a file', '/file', { range: 'bytes=-300000' }, 206, 300_000],
    ['an answer that the client has', '/large', { 'if-none-match': '"1"' }, 304, 0],
    ['one that it has another of', '/large', { 'if-none-match': '"2"' }, 200, 100_000],
    ['HEAD', '/file', { ':method': 'HEAD' }, 200, 0],
  ])('%s is a hit of the same kind', async (_name, path, fields, status, length) => {
    const session = await openHttp2(fast.tlsPort, { ca: ca.ca });
    session.setLocalWindowSize(2 ** 20);
    // That it may send so much is in a frame behind the one that opens the session.
    await ask(session, { ':path': '/not-there' });
    const before = await hits();
    const reply = await ask(session, { ':path': path, ...fields });
    expect([reply.status, reply.text.length]).toEqual([status, length]);
    expect(await hits()).toBe(before + 1);
    session.destroy();
  });

  test('many megabytes by a window that is small for all of them', async () => {
    const session = await openHttp2(fast.tlsPort, { ca: ca.ca, settings: { initialWindowSize: 30_000 } });
    session.setLocalWindowSize(300_000);
    const before = await hits();
    const asked = Array.from({ length: 60 }, (_, index) => PATHS[[2, 3, 0][index % 3] ?? 0] ?? '');
    const replies = await Promise.all(asked.map((path) => ask(session, { ':path': path })));
    for (const [index, { status, text }] of replies.entries()) {
      const path = asked[index] ?? '';
      expect(status).toBe(200);
      expect(text).toBe(Buffer.alloc(SIZES[path] ?? 500, path).toString());
    }
    expect((await hits()) - before).toBeGreaterThan(0);
    session.destroy();
  });
});

describe('frame by frame', () => {
  let socket: TLSSocket;
  let frames: Frame[];
  let isClosed: Promise<unknown>;

  beforeEach(async () => {
    socket = await openSecure(fast.tlsPort, {
      ca: ca.ca,
      servername: 'video.example.com',
      ALPNProtocols: ['h2'],
    });
    frames = readFrames(socket);
    isClosed = new Promise((resolve) => socket.once('close', resolve));
  });
  afterEach(() => socket.destroy());

  const of = (type: number) => frames.filter((each) => each.type === type);
  const body = (stream: number) =>
    Buffer.concat(
      of(TYPES.data).flatMap((each) => (each.stream === stream ? [each.payload] : [])),
    ).toString();
  const isWhole = (stream: number) =>
    frames.some((each) => each.stream === stream && (each.flags & END_STREAM) !== 0);
  const whole = (stream: number) => eventually(() => expect(isWhole(stream)).toBe(true));
  const settings = (...values: [name: number, value: number][]) => {
    const payload = Buffer.alloc(values.length * 6);
    for (const [index, [name, value]] of values.entries()) {
      payload.writeUInt16BE(name, index * 6);
      payload.writeUInt32BE(value, index * 6 + 2);
    }
    return frame(TYPES.settings, 0, 0, payload);
  };
  const more = (stream: number, bytes: number) => numberFrame(TYPES.windowUpdate, stream, bytes);
  const open = (...also: Buffer[]) => {
    socket.write(Buffer.concat([PREFACE, more(0, 2 ** 20), ...also]));
  };
  const fields = block(getFields());

  test('one hit, and it is one of ours', async () => {
    const before = await hits();
    open(get(1));
    await whole(1);
    expect(body(1)).toBe(Buffer.alloc(500, '/a').toString());
    expect(await hits()).toBe(before + 1);
    expect(of(TYPES.settings)[0]).toBe(frames[0]);
  });

  test('one in a file, however large', async () => {
    const before = await hits();
    open(more(0, 2 ** 24), get(1, '/file'), more(1, 2 ** 24));
    await whole(1);
    expect(body(1)).toBe(Buffer.alloc(700_000, '/file').toString());
    expect(await hits()).toBe(before + 1);
  });

  test('byte by byte', async () => {
    const all = Buffer.concat([PREFACE, more(0, 2 ** 20), get(1)]);
    for (const byte of all) {
      await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
    }
    await whole(1);
  });

  describe('a request in other forms is the same one', () => {
    test.each([
      [
        'in pieces',
        [
          frame(TYPES.headers, END_STREAM, 1, fields.subarray(0, 10)),
          frame(TYPES.continuation, 0, 1, fields.subarray(10, 20)),
          frame(TYPES.continuation, END_HEADERS, 1, fields.subarray(20)),
        ],
      ],
      [
        'padded',
        [
          frame(
            TYPES.headers,
            END_STREAM | END_HEADERS | PADDED,
            1,
            Buffer.concat([Buffer.from([7]), fields, Buffer.alloc(7)]),
          ),
        ],
      ],
      [
        'with a priority',
        [
          frame(
            TYPES.headers,
            END_STREAM | END_HEADERS | PRIORITY,
            1,
            Buffer.concat([Buffer.from([0x80, 0, 0, 0, 255]), fields]),
          ),
        ],
      ],
      ['behind a frame that nobody knows', [frame(99, 255, 0, Buffer.alloc(20)), get(1)]],
    ])('%s', async (_name, asked) => {
      const before = await hits();
      open(...asked);
      await whole(1);
      expect(body(1)).toHaveLength(500);
      expect(await hits()).toBe(before + 1);
    });
  });

  describe('what ends the connection', () => {
    const answered = [get(1), get(3, '/a')];
    test.each([
      [
        'DATA behind the request',
        [...answered, frame(TYPES.data, END_STREAM, 3, Buffer.alloc(3))],
        ERRORS.streamClosed,
      ],
      ['the same stream again', [...answered, get(3)], ERRORS.streamClosed],
      ['an older stream', [get(5), get(3)], ERRORS.streamClosed],
      ['an older stream of node:http2’s', [get(5, '/not-there'), get(3)], ERRORS.streamClosed],
      [
        'DATA behind a request that node:http2 answers',
        [get(1, '/not-there'), frame(TYPES.data, END_STREAM, 1, Buffer.alloc(3))],
        ERRORS.streamClosed,
      ],
      [
        'DATA of a stream that was reset',
        [
          frame(TYPES.headers, END_HEADERS, 1, fields),
          numberFrame(TYPES.reset, 1, 8),
          frame(TYPES.data, 0, 1, Buffer.alloc(3)),
        ],
        ERRORS.streamClosed,
      ],
      ['a priority of no stream', [frame(TYPES.priority, 0, 0, Buffer.alloc(5))], ERRORS.protocol],
      [
        'a stream that depends on itself',
        [frame(TYPES.priority, 0, 3, Buffer.from([0, 0, 0, 3, 16]))],
        ERRORS.protocol,
      ],
      [
        'answers without end to a ping that nobody sent',
        Array<Buffer>(101).fill(frame(TYPES.ping, ACK, 0, Buffer.alloc(8))),
        ERRORS.enhanceYourCalm,
      ],
      ['a stream of the server’s', [get(2)], ERRORS.protocol],
      ['a window of nothing for a stream', [...answered, more(3, 0)], ERRORS.protocol],
      ['a window of nothing for all', [more(0, 0)], ERRORS.protocol],
      ['a window beyond the largest', [more(0, 2 ** 31 - 1)], ERRORS.flowControl],
      [
        'a window of a stream beyond the largest',
        [settings([4, 0]), get(1), more(1, 1), more(1, 2 ** 31 - 1)],
        ERRORS.flowControl,
      ],
      [
        'a first window by which that of a stream is beyond the largest',
        [settings([4, 0]), get(1), more(1, 1), settings([4, 2 ** 31 - 1])],
        ERRORS.flowControl,
      ],
      [
        'a block that cannot be read',
        [frame(TYPES.headers, END_STREAM | END_HEADERS, 1, Buffer.from([0x80]))],
        ERRORS.compression,
      ],
      [
        'more padding than there is',
        [frame(TYPES.headers, END_STREAM | END_HEADERS | PADDED, 1, Buffer.from([9, 0x82]))],
        ERRORS.protocol,
      ],
      [
        'another frame in the midst of a block',
        [frame(TYPES.headers, END_STREAM, 1, fields), frame(TYPES.ping, 0, 0, Buffer.alloc(8))],
        ERRORS.protocol,
      ],
      [
        'the block of another stream',
        [frame(TYPES.headers, END_STREAM, 1, fields), frame(TYPES.continuation, END_HEADERS, 3)],
        ERRORS.protocol,
      ],
      [
        'a block that goes on without having begun',
        [frame(TYPES.continuation, END_HEADERS, 1, fields)],
        ERRORS.protocol,
      ],
      ['a frame that is too long', [frame(TYPES.data, 0, 1, Buffer.alloc(16_385))], ERRORS.frameSize],
      ['a ping of the wrong length', [frame(TYPES.ping, 0, 0, Buffer.alloc(7))], ERRORS.frameSize],
      [
        'a reset of the wrong length',
        [...answered, frame(TYPES.reset, 0, 3, Buffer.alloc(3))],
        ERRORS.frameSize,
      ],
      ['a reset of a stream that nobody opened', [numberFrame(TYPES.reset, 9, 8)], ERRORS.protocol],
      ['a reset of a stream of the server’s', [...answered, numberFrame(TYPES.reset, 2, 8)], ERRORS.protocol],
      [
        'a window of the wrong length',
        [...answered, frame(TYPES.windowUpdate, 0, 3, Buffer.alloc(3))],
        ERRORS.frameSize,
      ],
      [
        'a block in more pieces than any head has',
        [
          frame(TYPES.headers, END_STREAM, 1, fields),
          ...Array<Buffer>(9).fill(frame(TYPES.continuation, 0, 1)),
        ],
        ERRORS.enhanceYourCalm,
      ],
    ])('%s', async (_name, bytes, code) => {
      open(...bytes);
      await isClosed;
      expect(of(TYPES.goaway).map(errorCode)).toEqual([code]);
    });

    test('a preface that is none', async () => {
      socket.write(Buffer.alloc(24, 'x'));
      await isClosed;
      expect(of(TYPES.data)).toEqual([]);
    });

    test('hits that are asked for and reset without end', async () => {
      open(settings([4, 0]));
      const before = await fast.metric('limited_total', '{limit="http2Frames"}');
      for (let stream = 1; stream < 2_000 && !socket.destroyed; stream += 2) {
        socket.write(Buffer.concat([get(stream), numberFrame(TYPES.reset, stream, 8)]));
      }
      await isClosed;
      expect(await fast.metric('limited_total', '{limit="http2Frames"}')).toBe(before + 1);
    });
  });

  test('an answer to a ping that nobody sent ends nothing', async () => {
    open(frame(TYPES.ping, ACK, 0, Buffer.alloc(8)), get(1));
    await whole(1);
    socket.write(frame(TYPES.ping, 0, 0, Buffer.from('12345678')));
    await eventually(() =>
      expect(of(TYPES.ping).map(({ payload }) => payload.toString())).toEqual(['12345678']),
    );
  });

  test('a body waits for its stream’s window, and goes as far as it reaches', async () => {
    open(settings([4, 0]), get(1));
    await eventually(() => expect(of(TYPES.headers)).toHaveLength(1));
    expect(of(TYPES.data)).toEqual([]);
    socket.write(more(1, 100));
    await eventually(() => expect(body(1)).toHaveLength(100));
    socket.write(settings([4, 200]));
    await eventually(() => expect(body(1)).toHaveLength(300));
    // RFC 9113 6.9.2: below zero, and up again.
    socket.write(settings([4, 50]));
    socket.write(more(1, 100));
    socket.write(more(1, 60));
    await eventually(() => expect(body(1)).toHaveLength(310));
  });

  test('what was reset gives its window back', async () => {
    const before = await hits();
    socket.write(Buffer.concat([PREFACE, settings([4, 0]), more(0, 150_000)]));
    for (const stream of [1, 3, 5]) {
      socket.write(get(stream, '/large'));
      await eventually(async () => expect(await hits()).toBe(before + (stream + 1) / 2));
      socket.write(numberFrame(TYPES.reset, stream, 8));
    }
  });

  describe('a request that is reset in the same breath', () => {
    const missed = (stream: number) => get(stream, '/not-there');
    const reset = (stream: number) => numberFrame(TYPES.reset, stream, 8);

    test('takes with it what was said about it', async () => {
      open(missed(1), more(1, 1_000), reset(1), get(3), missed(5));
      await whole(3);
      await whole(5);
      expect(of(TYPES.goaway)).toEqual([]);
    });

    test.each([
      ['before it is heard of', [more(1, 50_000)], []],
      ['in between', [], [more(1, 50_000)]],
    ])('leaves the hit before it alone, whose window opens %s', async (_name, before, between) => {
      open(settings([4, 0]), get(1, '/large'));
      await eventually(() => expect(of(TYPES.headers)).toHaveLength(1));
      socket.write(Buffer.concat([...before, missed(3), ...between, reset(3)]));
      await eventually(() => expect(body(1)).toHaveLength(50_000));
      socket.write(more(1, 50_000));
      await whole(1);
      socket.write(Buffer.concat([missed(5), more(5, 10_000), settings([4, 10_000])]));
      await whole(5);
      expect(of(TYPES.goaway)).toEqual([]);
    });
  });

  test('a client that says goodbye gets what it has asked for', async () => {
    open(settings([4, 100]), get(1, '/large'));
    await eventually(() => expect(body(1)).toHaveLength(100));
    socket.write(frame(TYPES.goaway, 0, 0, Buffer.alloc(8)));
    await eventually(() => expect(of(TYPES.goaway).map(errorCode)).toEqual([0]));
    socket.write(more(1, 100_000));
    await isClosed;
    expect([body(1).length, isWhole(1)]).toEqual([100_000, true]);
  });

  test('a hit whose stream has no window lends the connection’s to others, and has it back first', async () => {
    const before = await hits();
    socket.write(Buffer.concat([PREFACE, settings([4, 10]), more(0, 100_000), get(1, '/large')]));
    await eventually(async () => expect(await hits()).toBe(before + 1));
    socket.write(Buffer.concat([get(3, '/file'), more(3, 700_000)]));
    await eventually(() => expect(body(1).length + body(3).length).toBe(165_535));
    expect(body(1)).toHaveLength(10);
    socket.write(Buffer.concat([more(1, 100_000), more(0, 99_990)]));
    await whole(1);
    socket.write(more(0, 700_000));
    await whole(3);
    expect([body(1).length, body(3).length, of(TYPES.goaway)]).toEqual([100_000, 700_000, []]);
  });

  test('a table that the client made smaller is said so, by who has one', async () => {
    const before = await hits();
    open(settings([1, 0]), get(1));
    await whole(1);
    expect(await hits()).toBe(before);
    // RFC 7541 4.2: the new size is the first thing in the block.
    expect(of(TYPES.headers)[0]?.payload[0]).toBe(0x20);
  });

  test('answers of both kinds, in between each other', async () => {
    const paths = ['/a', '/file', '/not-there', '/large', '/b?x=1'];
    open(...paths.map((path, index) => get(index * 2 + 1, path)), more(3, 700_000), more(7, 100_000));
    for (const [index] of paths.entries()) await whole(index * 2 + 1);
    for (const [index, path] of paths.entries()) expect(body(index * 2 + 1)).toHaveLength(SIZES[path] ?? 500);
    socket.write(frame(TYPES.goaway, 0, 0, Buffer.alloc(8)));
    await isClosed;
  });
});

test('an edge that stops lets hits under way out to their end (RFC 9113 6.8)', async () => {
  const edge = await startTestEdge({
    origin: origin.url,
    secrets: secretsOf([certificate]),
    domains: [domainOf(origin.url, { tls: tlsWith([certificate]) })],
  });
  await edge.get('/large');
  const session = await openHttp2(edge.tlsPort, { ca: ca.ca });
  session.setLocalWindowSize(2 ** 20);
  // The body is larger than the window of its stream: it goes on only when the client reads.
  const stream = session.request({ ':authority': 'video.example.com', ':path': '/large' });
  await once(stream, 'response');
  expect(await edge.metric('fast_hits_total')).toBe(1);
  const told = once(session, 'goaway');
  const stopping = edge.stop();
  await told;
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  expect(bytes).toBe(100_000);
  await stopping;
  await edge.remove();
});

test('the goodbye of an edge that stops knows of hits (RFC 9113 6.8)', async () => {
  const edge = await startTestEdge({
    origin: origin.url,
    secrets: secretsOf([certificate]),
    domains: [domainOf(origin.url, { tls: tlsWith([certificate]) })],
  });
  await edge.get('/a');
  const session = await openHttp2(edge.tlsPort, { ca: ca.ca });
  session.setLocalWindowSize(2 ** 20);
  for (let turn = 0; turn < 3; turn++) await ask(session, { ':path': '/a' });
  const told = new Promise((resolve) => session.once('goaway', (_code, last) => resolve(last)));
  const stopping = edge.stop();
  expect(await told).toBe(5);
  await stopping;
  await edge.remove();
});

test('hits that nobody takes end with their connection', async () => {
  const edge = await startTestEdge({
    origin: origin.url,
    secrets: secretsOf([certificate]),
    domains: [domainOf(origin.url, { tls: tlsWith([certificate]) })],
    settings: { limits: { minimumRate: '10KiB', minimumRateWindow: '1m' } },
  });
  await edge.get('/a');
  const session = await openHttp2(edge.tlsPort, { ca: ca.ca, settings: { initialWindowSize: 0 } });
  session.setLocalWindowSize(2 ** 20);
  const asked = ask(session, { ':path': '/a' });
  const failed = expect(asked).rejects.toThrow();
  await eventually(async () => expect(await edge.metric('fast_hits_total')).toBe(1));
  await eventually(async () => {
    edge.clock.advance(60_000);
    expect(await edge.metric('limited_total', '{limit="minimumRate"}')).toBe(1);
  });
  await failed;
  await edge.stop();
  await edge.remove();
});
