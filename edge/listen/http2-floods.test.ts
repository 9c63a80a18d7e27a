/** Clients of bad manners, frame by frame: each is cut off or held to a bound, and who behaves is served meanwhile. */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { END_HEADERS, END_STREAM, frame, TYPES } from '../http2/frames.ts';
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
import { domainOf, startTestEdge, type TestEdge, type TestEdgeOptions } from '../testing/test-edge.ts';
import { openSecure } from '../testing/tls-exchange.ts';

const ENHANCE_YOUR_CALM = 11;
const REFUSED_STREAM = 7;
const CANCEL = Buffer.from([0, 0, 0, 8]);

let ca: TestCa;
let certificate: TestCertificate;
let origin: ScriptOrigin;
let edge: TestEdge;
let socket: TLSSocket;
let frames: Frame[];

beforeAll(async () => {
  ca = await testCa();
  certificate = await ca.issue('demo/video', ['video.example.com']);
});

beforeEach(async () => {
  origin = await startScriptOrigin((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=600' });
    response.end(request.url === '/large' ? Buffer.alloc(3_000_000, 'x') : 'hello');
  });
});

async function start(options: Partial<TestEdgeOptions> = {}) {
  edge = await startTestEdge({
    origin: origin.url,
    secrets: secretsOf([certificate]),
    domains: [domainOf(origin.url, { tls: tlsWith([certificate]) })],
    ...options,
  });
  await edge.get('/a');
  socket = await openSecure(edge.tlsPort, {
    ca: ca.ca,
    servername: 'video.example.com',
    ALPNProtocols: ['h2'],
  });
  frames = readFrames(socket);
  socket.write(PREFACE);
}

afterEach(async () => {
  socket.destroy();
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const limited = (limit: string) => edge.metric('limited_total', `{limit="${limit}"}`);
const of = (type: number) => frames.filter((each) => each.type === type);
const odd = (count: number) => Array.from({ length: count }, (_, index) => 2 * index + 1);

/** Also by a reset. */
const end = () => new Promise((resolve) => socket.once('close', resolve));

/** Somebody else, with a connection of good manners. */
async function othersAreServed(): Promise<void> {
  const session = await openHttp2(edge.tlsPort, { ca: ca.ca });
  expect((await ask(session, { ':path': '/a' })).text).toBe('hello');
  session.destroy();
}

/** In pieces, so that what it is answered with has its time; until it is cut off. */
async function flood(piece: (turn: number) => Buffer, most = 500): Promise<void> {
  const closed = end();
  for (let turn = 0; turn < most && !socket.destroyed; turn++) {
    socket.write(piece(turn));
    await sleep(1);
  }
  await closed;
}

test('frames by hand are understood', async () => {
  await start();
  socket.write(get(1));
  await eventually(() =>
    expect(
      of(TYPES.data)
        .map(({ payload }) => String(payload))
        .join(''),
    ).toBe('hello'),
  );
});

test('streams that are opened and reset at once (CVE-2023-44487)', async () => {
  await start();
  let next = 1;
  await flood(() =>
    Buffer.concat(
      odd(50).flatMap(() => {
        const stream = next;
        next += 2;
        return [get(stream, `/r${stream}`), frame(TYPES.reset, 0, stream, CANCEL)];
      }),
    ),
  );
  expect(next).toBeLessThan(2_000);
  await eventually(async () => expect(await limited('http2Frames')).toBeGreaterThan(0));
  // What was reset in one breath never went to the origin.
  expect(origin.requests.length).toBeLessThan(20);
  await othersAreServed();
});

test('header blocks that never end (CONTINUATION)', async () => {
  await start();
  socket.write(frame(TYPES.headers, END_STREAM, 1, block(getFields())));
  await flood(() => frame(TYPES.continuation, 0, 1, block([['x', 'y'.repeat(1_000)]])));
  await othersAreServed();
});

test('header fields that grow without end in few frames', async () => {
  await start({ settings: { limits: { headerSize: '16KiB' } } });
  const large = block(Array.from({ length: 16 }, (_, index) => [`x-${index}`, 'y'.repeat(1_000)] as const));
  socket.write(frame(TYPES.headers, END_STREAM, 1, block(getFields())));
  for (let turn = 0; turn < 4; turn++) {
    socket.write(frame(TYPES.continuation, turn === 3 ? END_HEADERS : 0, 1, large.subarray(0, 16_000)));
  }
  await eventually(() => expect(of(TYPES.reset).length + of(TYPES.goaway).length).toBeGreaterThan(0));
  await othersAreServed();
});

describe.each([
  ['SETTINGS', () => frame(TYPES.settings, 0, 0)],
  ['PING', () => frame(TYPES.ping, 0, 0, Buffer.alloc(8))],
])('%s', (_name, one) => {
  test('in a flood', async () => {
    await start();
    await flood(() => Buffer.concat(Array.from({ length: 20 }, one)));
    expect(of(TYPES.goaway).map(errorCode)).toContain(ENHANCE_YOUR_CALM);
    expect(await limited('http2Frames')).toBe(1);
    await othersAreServed();
  });

  test('now and then is answered', async () => {
    await start();
    for (let turn = 0; turn < 20; turn++) socket.write(one());
    socket.write(get(1));
    await eventually(() => expect(of(TYPES.data)).not.toEqual([]));
    expect(of(TYPES.goaway)).toEqual([]);
  });
});

test('answers to pings that nobody reads are not kept without end', async () => {
  await start();
  socket.pause();
  await flood(() =>
    Buffer.concat(Array.from({ length: 1_000 }, () => frame(TYPES.ping, 0, 0, Buffer.alloc(8)))),
  );
  await othersAreServed();
});

describe('more streams at once than there may be', () => {
  const open = async () => {
    await start({ settings: { limits: { streamsPerConnection: 10 } } });
    origin.answer((_request, response) => held.push(response));
    await eventually(() => expect(of(TYPES.settings)).not.toEqual([]));
  };
  const held: ServerResponse[] = [];
  afterEach(() => {
    for (const response of held.splice(0)) response.end();
  });
  const askAll = () => socket.write(Buffer.concat(odd(15).map((stream) => get(stream, `/p${stream}`))));

  test('are refused one by one, so that they can be sent again', async () => {
    await open();
    askAll();
    await eventually(() => expect(of(TYPES.reset).map(errorCode)).toEqual(Array(5).fill(REFUSED_STREAM)));
    await eventually(() => expect(origin.requests).toHaveLength(11));
    await othersAreServed();
  });

  test('end the connection of who had heard of the limit', async () => {
    await open();
    const closed = end();
    socket.write(frame(TYPES.settings, 1, 0));
    askAll();
    await closed;
    expect(of(TYPES.goaway)).not.toEqual([]);
    await othersAreServed();
  });
});

test('a client that opens no window for what it asked for is cut off', async () => {
  await start({ settings: { limits: { minimumRate: '10KiB', minimumRateWindow: '1m' } } });
  await edge.get('/large');
  for (const stream of odd(20)) socket.write(get(stream, '/large'));
  await eventually(() => expect(of(TYPES.headers)).toHaveLength(20));
  const cut = end();
  await eventually(async () => {
    edge.clock.advance(60_000);
    expect(await limited('minimumRate')).toBe(1);
  });
  await cut;
  await othersAreServed();
});

describe('a request that breaks the form is reset, and goes nowhere', () => {
  const without = (name: string) => getFields().filter(([field]) => field !== name);
  test.each([
    ['no :path', without(':path')],
    ['no :method', without(':method')],
    ['a target without its slash', [...without(':path'), [':path', 'a']] as const],
    ['a target with a host', [...without(':path'), [':path', 'http://other.example/']] as const],
    ['a pseudo-header twice', [...getFields(), [':path', '/b']] as const],
    ['one that nobody knows', [...getFields(), [':odd', '1']] as const],
    ['one behind the others', [['x', '1'], ...getFields()] as const],
    ['capitals', [...getFields(), ['X-Odd', '1']] as const],
    ['a field of the connection', [...getFields(), ['connection', 'close']] as const],
    ['Transfer-Encoding', [...getFields(), ['transfer-encoding', 'chunked']] as const],
    ['TE but for trailers', [...getFields(), ['te', 'gzip']] as const],
  ])('%s', async (_name, fields) => {
    await start();
    socket.write(frame(TYPES.headers, END_STREAM | END_HEADERS, 1, block(fields)));
    await eventually(() =>
      expect(of(TYPES.reset).length + of(TYPES.goaway).length + socketEnd()).toBeGreaterThan(0),
    );
    expect(of(TYPES.headers)).toEqual([]);
    expect(origin.requests).toHaveLength(1);
  });

  const socketEnd = () => (socket.destroyed ? 1 : 0);

  test.each(['a\r\nb: c', 'a\0b'])(
    'a field whose value no field may have gets no further: %j',
    async (value) => {
      await start();
      const fields = [...getFields('/v'), ['x-odd', value]] as const;
      socket.write(frame(TYPES.headers, END_STREAM | END_HEADERS, 1, block(fields)));
      await eventually(() => expect(of(TYPES.reset).length + of(TYPES.headers).length).toBeGreaterThan(0));
      expect(origin.requests.flatMap(({ rawHeaders }) => rawHeaders)).not.toContain('x-odd');
      expect(origin.requests.flatMap(({ rawHeaders }) => rawHeaders)).not.toContain('b');
    },
  );

  test('a body of another length than it says', async () => {
    await start();
    const fields = [...getFields('/p').slice(1), ['content-length', '10']] as const;
    socket.write(frame(TYPES.headers, END_HEADERS, 1, block([[':method', 'POST'], ...fields])));
    socket.write(frame(TYPES.data, END_STREAM, 1, Buffer.from('short')));
    await eventually(() => expect(of(TYPES.reset)).toHaveLength(1));
  });

  test('trailers are taken and dropped', async () => {
    await start();
    origin.answer((request, response) => request.resume().on('end', () => response.end('thanks')));
    const fields = [[':method', 'POST'], ...getFields('/p').slice(1)] as const;
    socket.write(frame(TYPES.headers, END_HEADERS, 1, block(fields)));
    socket.write(frame(TYPES.data, 0, 1, Buffer.from('body')));
    socket.write(frame(TYPES.headers, END_HEADERS | END_STREAM, 1, block([['x-sum', '1']])));
    await eventually(() => expect(String(of(TYPES.data)[0]?.payload)).toBe('thanks'));
    expect(origin.requests.at(-1)?.trailers).toEqual({});
  });
});

test('a body that does not end: the stream goes, the connection stays', async () => {
  await start({ settings: { limits: { headerTimeout: '200ms', requestTimeout: '300ms' } } });
  origin.answer((request) => request.resume());
  socket.write(
    frame(TYPES.headers, END_HEADERS, 1, block([[':method', 'POST'], ...getFields('/p').slice(1)])),
  );
  await eventually(() => expect(of(TYPES.reset)).toHaveLength(1));
  expect(await limited('requestTime')).toBe(1);
  socket.write(get(3));
  await eventually(() => expect(of(TYPES.data)).not.toEqual([]));
});
