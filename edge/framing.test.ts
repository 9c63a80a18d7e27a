/** What reaches the socket that is not a plain request: refused with 400 and a closed connection, or answered as RFC 9112 says. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawExchange } from './testing/raw-exchange.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

beforeAll(async () => {
  origin = await startScriptOrigin((_request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=60' }).end('hello'),
  );
  edge = await startTestEdge({ origin: origin.url });
});

afterAll(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const exchange = (bytes: string) => rawExchange(edge.port, bytes);

const HOST = 'Host: video.example.com\r\n';
const CLOSE = 'Connection: close\r\n';

describe('400, and the connection is closed:', () => {
  test.each([
    [
      'Content-Length and Transfer-Encoding',
      `POST /a HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'two lengths that differ',
      `POST /a HTTP/1.1\r\n${HOST}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd`,
    ],
    ['a length that is no number', `POST /a HTTP/1.1\r\n${HOST}Content-Length: +4\r\n\r\nabcd`],
    [
      'a transfer coding that is not chunked',
      `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    ],
    ['a space before the colon', `GET /a HTTP/1.1\r\n${HOST}X-Y : 1\r\n\r\n`],
    ['lines that end in LF alone', 'GET /a HTTP/1.1\nHost: video.example.com\n\n'],
    ['one such line', `GET /a HTTP/1.1\r\n${HOST}X-Y: 1\nX-Z: 2\r\n\r\n`],
    ['a list of lengths', `POST /a HTTP/1.1\r\n${HOST}Content-Length: 4, 4\r\n\r\nabcd`],
    ['a length that is negative', `POST /a HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\n`],
    [
      'a coding behind chunked',
      `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    ],
    [
      'chunked twice',
      `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['a coding in quotes', `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`],
    [
      'a vertical tab before the coding',
      `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'a coding in HTTP/1.0',
      `POST /a HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    ],
    ['a NUL in a name', `GET /a HTTP/1.1\r\n${HOST}X\0Y: 1\r\n\r\n`],
    ['no colon', `GET /a HTTP/1.1\r\n${HOST}Content-Length 4\r\n\r\n`],
    [
      'a chunk size with a sign',
      `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n`,
    ],
    [
      'a chunk size in 0x',
      `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n`,
    ],
    [
      'a chunk that ends in LF alone',
      `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n`,
    ],
    ['a space in the target', `GET /a b HTTP/1.1\r\n${HOST}\r\n`],
    ['another version', `GET /a HTTP/1.9\r\n${HOST}\r\n`],
    ['a folded line', `GET /a HTTP/1.1\r\n${HOST} folded\r\n\r\n`],
    ['a NUL in a value', `GET /a HTTP/1.1\r\n${HOST}X-Y: a\0b\r\n\r\n`],
    ['a bare CR', `GET /a HTTP/1.1\r\n${HOST}X-Y: a\rb\r\n\r\n`],
    ['a chunk size that is none', `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`],
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['no Host', 'GET /a HTTP/1.1\r\n\r\n'],
    ['two Hosts', `GET /a HTTP/1.1\r\n${HOST}${HOST}\r\n`],
    [
      'two Hosts and an absolute target',
      `GET http://video.example.com/a HTTP/1.1\r\n${HOST}Host: other\r\n\r\n`,
    ],
    ['no Host, and an absolute target', 'GET http://video.example.com/a HTTP/1.1\r\n\r\n'],
    ['no Host, and a question to the edge itself', 'OPTIONS * HTTP/1.1\r\n\r\n'],
    ['two Hosts, and a method that is refused', `TRACE /a HTTP/1.1\r\n${HOST}${HOST}\r\n`],
    ['a Host that is none', 'GET /a HTTP/1.1\r\nHost: video.example.com/x\r\n\r\n'],
    ['a Host with userinfo', 'GET /a HTTP/1.1\r\nHost: a@video.example.com\r\n\r\n'],
    ['a % that encodes nothing', `GET /%zz HTTP/1.1\r\n${HOST}\r\n`],
    ['an encoded NUL', `GET /%00 HTTP/1.1\r\n${HOST}\r\n`],
    ['a target that is no path', `GET a HTTP/1.1\r\n${HOST}\r\n`],
  ])('%s', async (_name, bytes) => {
    const before = origin.requests.length;
    expect(await exchange(bytes)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(origin.requests).toHaveLength(before);
  });
});

test.each(['gzip, chunked', 'identity, chunked', ',chunked'])(
  'content in codings that this edge does not undo is not passed on as if it were plain: %s, 501 (RFC 9112 6.1)',
  async (coding) => {
    const before = origin.requests.length;
    const post = `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: ${coding}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
    expect(await exchange(post)).toMatch(/^HTTP\/1\.1 501 Not Implemented\r\n[\s\S]*connection: close/);
    expect(origin.requests).toHaveLength(before);
  },
);

test('a header that is too large: 431', async () => {
  const bytes = `GET /a HTTP/1.1\r\n${HOST}X-Y: ${'y'.repeat(40_000)}\r\n\r\n`;
  expect(await exchange(bytes)).toMatch(/^HTTP\/1\.1 431 /);
});

test('CONNECT is refused', async () => {
  expect(await exchange(`CONNECT a:443 HTTP/1.1\r\n${HOST}\r\n`)).toMatch(
    /^HTTP\/1\.1 405 [\s\S]*CONNECT is not served here/,
  );
});

test('a WebSocket is refused with a reason; another upgrade is ignored', async () => {
  const upgrade = (to: string) =>
    exchange(`GET /a HTTP/1.1\r\n${HOST}Connection: Upgrade, close\r\nUpgrade: ${to}\r\n\r\n`);
  expect(await upgrade('websocket')).toMatch(/^HTTP\/1\.1 501 [\s\S]*WebSocket/);
  expect(await upgrade('h2c')).toMatch(/^HTTP\/1\.1 200 /);
});

test('the target’s host counts where it has one (RFC 9112 3.2.2)', async () => {
  const answer = await exchange(
    'GET http://video.example.com/abs HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n',
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*hello/);
  expect(origin.requests.at(-1)?.url).toBe('/abs');
});

test('OPTIONS * is the edge’s own to answer', async () => {
  expect(await exchange(`OPTIONS * HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 200 OK\r\n[\s\S]*allow: GET, HEAD/,
  );
});

test('OPTIONS that may go no further is the edge’s to answer; else it goes with one less (RFC 9110 7.6.2)', async () => {
  const options = (hops: string) =>
    exchange(`OPTIONS /hops HTTP/1.1\r\n${HOST}Max-Forwards: ${hops}\r\n${CLOSE}\r\n`);
  expect(await options('0')).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*allow: GET, HEAD/);
  expect(origin.count('/hops')).toBe(0);
  await options('2');
  expect(origin.requests.at(-1)?.headers).toMatchObject({ 'max-forwards': '1' });
});

test('Max-Forwards: 0 does not hold a GET up, and does not go on as -1 (RFC 9110 7.6.2)', async () => {
  const get = `GET /hops-of-get HTTP/1.1\r\n${HOST}Max-Forwards: 0\r\n${CLOSE}\r\n`;
  expect(await exchange(get)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(origin.requests.at(-1)).toMatchObject({ url: '/hops-of-get' });
  expect(origin.requests.at(-1)?.headers).not.toHaveProperty('max-forwards');
});

test('HTTP/1.0 with a Host is served', async () => {
  expect(await exchange(`GET /a HTTP/1.0\r\n${HOST}\r\n`)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*hello$/);
});

test('a request on a kept connection is answered after one with a body', async () => {
  const post = `POST /p HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
  const answers = await exchange(`${post}GET /a HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
  expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
});

test.each(['GET', 'DELETE'])(
  'the length that an origin gives a 204 goes no further: %s (RFC 9110 8.6)',
  async (method) => {
    origin.answer(({ socket }) => socket.end('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'));
    const answer = await exchange(`${method} /none HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 204 No Content\r\n/);
    expect(answer).not.toMatch(/content-length/i);
  },
);
