import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

beforeEach(async () => {
  origin = await startScriptOrigin((_request, response) => response.end());
  edge = await startTestEdge({ origin: origin.url });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

/** Holds every answer open; the test writes it. */
function held(headers: Record<string, string>): ServerResponse[] {
  const responses: ServerResponse[] = [];
  origin.answer((_request, response) => {
    response.writeHead(200, headers).flushHeaders();
    responses.push(response);
  });
  return responses;
}

const SHARED = { 'cache-control': 'max-age=60', 'content-length': '1000000' };
const whole = Buffer.alloc(1_000_000, 'abcdefg');

test('a hundred clients, one fetch: all stream the same body while it comes', async () => {
  const responses = held(SHARED);
  const first = edge.get('/a');
  await eventually(() => expect(responses).toHaveLength(1));
  responses[0]?.write(whole.subarray(0, 600_000));
  const others = Array.from({ length: 99 }, () => edge.get('/a'));
  await eventually(async () =>
    expect(await edge.metric('client_bytes_total', '{domain="demo/video"}')).toBeGreaterThanOrEqual(
      60_000_000,
    ),
  );
  responses[0]?.end(whole.subarray(600_000));
  const replies = await Promise.all([first, ...others]);
  expect(replies.every(({ status, body }) => status === 200 && body.equals(whole))).toBe(true);
  expect(replies.filter(({ headers }) => String(headers['cache-status']).includes('collapsed'))).toHaveLength(
    99,
  );
  expect(origin.requests).toHaveLength(1);
  expect(await edge.metric('requests_total', '{domain="demo/video",result="collapsed"}')).toBe(99);
  expect((await edge.get('/a')).headers['cache-status']).toMatch(/hit/);
});

test('the fill goes on when the client that led it leaves', async () => {
  const responses = held(SHARED);
  const leader = connect(edge.port, '127.0.0.1');
  leader.write('GET /a HTTP/1.1\r\nHost: video.example.com\r\n\r\n');
  await eventually(() => expect(responses).toHaveLength(1));
  responses[0]?.write(whole.subarray(0, 500_000));
  await once(leader, 'data');
  const waiter = edge.get('/a');
  leader.destroy();
  responses[0]?.end(whole.subarray(500_000));
  expect((await waiter).body.equals(whole)).toBe(true);
  expect(origin.requests).toHaveLength(1);
});

test('… and also when nobody is left', async () => {
  const responses = held(SHARED);
  const leader = connect(edge.port, '127.0.0.1');
  leader.write('GET /a HTTP/1.1\r\nHost: video.example.com\r\n\r\n');
  await eventually(() => expect(responses).toHaveLength(1));
  leader.destroy();
  responses[0]?.end(whole);
  await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(1));
  expect((await edge.get('/a')).headers['cache-status']).toMatch(/hit/);
});

test('an answer that is not for all goes to its own client; those who waited fetch for themselves, at once', async () => {
  const waiting: ServerResponse[] = [];
  origin.answer((_request, response) => waiting.push(response));
  const first = edge.get('/a');
  await eventually(() => expect(waiting).toHaveLength(1));
  const others = Array.from({ length: 9 }, () => edge.get('/a'));
  // They queue behind the first: nothing else reaches the origin.
  await eventually(async () => expect(await inFlight()).toBe(10));
  expect(waiting).toHaveLength(1);
  const answer = (response: ServerResponse | undefined, text: string) =>
    response?.writeHead(200, { 'cache-control': 'private' }).end(text);
  answer(waiting[0], 'own 0');
  // None waits for another of them: all nine are at the origin before one is answered.
  await eventually(() => expect(waiting).toHaveLength(10));
  for (const [index, response] of waiting.entries()) if (index > 0) answer(response, `own ${index}`);
  const texts = (await Promise.all([first, ...others])).map(({ text }) => text);
  expect(texts.sort()).toEqual(Array.from({ length: 10 }, (_, index) => `own ${index}`));
  expect(texts[0]).toBe('own 0');
  expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(0);
});

test('what was not shareable is stored as soon as it is', async () => {
  origin.answer((_request, response) => response.writeHead(200, { 'cache-control': 'no-store' }).end());
  await edge.get('/a');
  origin.answer((_request, response) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end());
  await edge.get('/a');
  expect((await edge.get('/a')).headers['cache-status']).toMatch(/hit/);
});

test('a revalidation is shared, too', async () => {
  const headers = { 'cache-control': 'max-age=10', etag: '"a"' };
  origin.answer((_request, response) => response.writeHead(200, headers).end('body'));
  await edge.get('/a');
  edge.clock.advance(11_000);
  const waiting: ServerResponse[] = [];
  origin.answer((_request, response) => waiting.push(response));
  const all = Array.from({ length: 5 }, () => edge.get('/a'));
  await eventually(async () => expect([waiting.length, await inFlight()]).toEqual([1, 5]));
  for (const response of waiting) response.writeHead(304, headers).end();
  expect((await Promise.all(all)).map(({ text }) => text)).toEqual(Array(5).fill('body'));
  expect(origin.requests).toHaveLength(2);
});

test('a slow client holds up nobody', async () => {
  const big = Buffer.alloc(24 * 2 ** 20, '0123456789');
  origin.answer((_request, response) => response.writeHead(200, { 'cache-control': 'max-age=60' }).end(big));
  const slow = connect(edge.port, '127.0.0.1');
  slow.pause();
  slow.write('GET /a HTTP/1.1\r\nHost: video.example.com\r\nConnection: close\r\n\r\n');
  await eventually(() => expect(origin.requests).toHaveLength(1));
  expect((await edge.get('/a')).body.equals(big)).toBe(true);
  // The slow one gets all of it, too.
  let received = 0;
  slow.on('data', (chunk) => {
    received += chunk.length;
  });
  slow.resume();
  await once(slow, 'close');
  expect(received).toBeGreaterThan(big.length);
  expect(origin.requests).toHaveLength(1);
});

/** Requests that wait for an answer, each after the same steps. */
const inFlight = () => edge.metric('requests_in_flight');
