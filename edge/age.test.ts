/** How old an answer is told to be, and taken for (RFC 9111 4.2.3, 5.1), over sockets. */
import { expect, test } from 'vitest';
import { scriptedCdn } from './testing/scripted-cdn.ts';

const cdn = scriptedCdn();
const date = (secondsAgo: number) => new Date(cdn.edge.clock.now() - secondsAgo * 1_000).toUTCString();

test.each([
  ['nothing said', () => ({}), 0],
  ['Age of a cache before us', () => ({ age: '20' }), 20],
  ['a Date in the past', () => ({ date: date(20) }), 20],
  ['the larger of both', () => ({ age: '30', date: date(20) }), 30],
  ['a clock that is ahead of ours makes nothing younger', () => ({ age: '20', date: date(-500) }), 20],
  ['no number: ignored', () => ({ age: 'old', date: date(0) }), 0],
  ['negative: ignored', () => ({ age: '-5', date: date(0) }), 0],
  ['of several the first counts', () => ({ age: '20, 500' }), 20],
])('%s', async (_name, headers: () => Record<string, string>, age) => {
  cdn.says({ 'cache-control': 'max-age=60', ...headers() });
  await cdn.get('/a');
  cdn.edge.clock.advance(10_000);
  const hit = await cdn.get('/a');
  expect(hit.text).toBe('answer 1');
  // A second more where the clock of the test is between two.
  expect([age + 10, age + 11]).toContain(Number(hit.headers.age));
  cdn.edge.clock.advance((60 - age - 10 - 2) * 1_000);
  expect((await cdn.get('/a')).text).toBe('answer 1');
  cdn.edge.clock.advance(3_000);
  expect((await cdn.get('/a')).text).toBe('answer 2');
});

test('an answer that is older than its lifetime already is not used again', async () => {
  cdn.says({ 'cache-control': 'max-age=60', age: '60', etag: '"a"' });
  await cdn.get('/a');
  expect((await cdn.get('/a')).text).toBe('answer 2');
});

test('the time that the origin took counts (RFC 9111 4.2.3, response_delay)', async () => {
  cdn.origin.answer((_request, response) => {
    cdn.edge.clock.advance(15_000);
    response.writeHead(200, { 'cache-control': 'max-age=60' }).end('slow');
  });
  await cdn.get('/a');
  expect(Number((await cdn.get('/a')).headers.age)).toBe(15);
});

test('a confirmation begins anew', async () => {
  cdn.says({ 'cache-control': 'max-age=60', age: '50', etag: '"a"' });
  await cdn.get('/a');
  cdn.edge.clock.advance(20_000);
  cdn.origin.answer((_request, response) => {
    response.writeHead(304, { 'cache-control': 'max-age=60', etag: '"a"', age: '5' }).end();
  });
  expect((await cdn.get('/a')).headers['cache-status']).toMatch(/fwd-status=304; ttl=55$/);
  expect((await cdn.get('/a')).headers).toMatchObject({ age: '5' });
});
