/** What one client's answer may be to another one (RFC 9111 3, 3.5, 5.2.2), over sockets: leaks are looked for here. */
import { describe, expect, test } from 'vitest';
import { scriptedCdn } from './testing/scripted-cdn.ts';
import { domainOf, KEEP } from './testing/test-edge.ts';

const cdn = scriptedCdn();

/** Whether a second request, of a client that is nobody, is answered with what the first one had fetched. */
async function isShared(
  answer: Record<string, string | string[]>,
  { status = 200, request = {} }: { status?: number; request?: Record<string, string> } = {},
): Promise<boolean> {
  cdn.says(answer, status);
  const first = await cdn.get('/a', request);
  expect(first).toMatchObject({ status, text: 'answer 1' });
  const second = await cdn.get('/a');
  const shared = second.text === 'answer 1';
  expect(String(second.headers['cache-status'])).toMatch(shared ? /^zz-1; hit; / : /^zz-1; fwd=/);
  expect(cdn.origin.requests).toHaveLength(shared ? 1 : 2);
  return shared;
}

describe('an answer to Authorization (RFC 9111 3.5):', () => {
  test.each([
    ['max-age=60', false],
    ['max-age=60, private', false],
    ['public, max-age=60', true],
    ['max-age=60, must-revalidate', true],
    ['s-maxage=60', true],
    ['s-maxage=60, no-store', false],
  ])('%s: shared %s', async (control, shared) => {
    expect(await isShared({ 'cache-control': control }, { request: { authorization: 'Basic x' } })).toBe(
      shared,
    );
  });

  test('what is stored is for a client with credentials, too; what is not may not be joined', async () => {
    cdn.says({ 'cache-control': 'max-age=60' });
    await cdn.get('/a');
    expect((await cdn.get('/a', { authorization: 'Basic x' })).text).toBe('answer 1');
    // Two at once with credentials of their own: neither gets the other's.
    cdn.says({ 'cache-control': 'max-age=60' });
    const both = await Promise.all(
      ['Basic x', 'Basic y'].map((authorization) => cdn.get('/b', { authorization })),
    );
    expect(new Set(both.map(({ text }) => text)).size).toBe(2);
  });
});

describe('by what the answer says of itself:', () => {
  test.each([
    [
      'private with a field name counts for all of it',
      { 'cache-control': 'private="x-own", max-age=60' },
      false,
    ],
    ['no-cache with a field name: never unasked', { 'cache-control': 'no-cache="x-own", max-age=60' }, false],
    ['upper case', { 'cache-control': 'PRIVATE, Max-Age=60' }, false],
    ['in a second field', { 'cache-control': ['max-age=60', 'private'] }, false],
    ['private with an argument that makes no sense', { 'cache-control': 'private=1, max-age=60' }, false],
    ['what stands in quotes is none', { 'cache-control': 'max-age=60, x="private"' }, true],
    ['a quote that does not end hides nothing', { 'cache-control': 'max-age=60, x="y, no-store' }, false],
    ['a cookie', { 'cache-control': 'public, max-age=60', 'set-cookie': 'session=1' }, false],
    ['one of several cookies', { 'cache-control': 'max-age=60', 'set-cookie': ['a=1', 'b=2'] }, false],
    ['Vary: * among others', { 'cache-control': 'max-age=60', vary: 'accept, *' }, false],
    ['Expires that is no date, without anything else', { expires: 'tomorrow' }, false],
    ['… beside max-age', { expires: '0', 'cache-control': 'max-age=60' }, true],
    ['a negative lifetime', { 'cache-control': 'max-age=-1' }, false],
    ['a lifetime that is no number', { 'cache-control': 'max-age=1m' }, false],
    ['more seconds than fit', { 'cache-control': 'max-age=99999999999999999999' }, true],
    ['lifetimes that contradict each other', { 'cache-control': 'max-age=60, max-age=0' }, false],
    ['immutable alone is no lifetime', { 'cache-control': 'immutable' }, false],
  ])('%s', async (_name, answer: Record<string, string | string[]>, shared) => {
    expect(await isShared(answer)).toBe(shared);
  });

  test.each([
    ['no-store, must-understand', 200, true],
    ['must-understand', 200, true],
    ['must-understand', 299, false],
    ['no-store, must-understand', 299, false],
  ])('max-age=60, %s with status %d: shared %s (RFC 9111 5.2.2.3)', async (control, status, shared) => {
    expect(await isShared({ 'cache-control': `max-age=60, ${control}` }, { status })).toBe(shared);
  });
});

describe('a 304 that takes back what was for all:', () => {
  test.each([
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['no-store', { 'cache-control': 'no-store' }],
    ['private for a CDN', { 'cdn-cache-control': 'private, max-age=60' }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: '*' }],
    ['a cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'session=1' }],
  ])('%s: whoever asks is given an answer of their own', async (_name, news) => {
    cdn.says({ 'cache-control': 'max-age=10', etag: '"a"' });
    await cdn.get('/a');
    cdn.edge.clock.advance(11_000);
    cdn.origin.answer(({ headers }, response) => {
      const own = `answer ${cdn.origin.requests.length}`;
      if (headers['if-none-match'] === '"a"') response.writeHead(304, { etag: '"a"', ...news }).end();
      else response.writeHead(200, { etag: '"a"', ...news }).end(own);
    });
    const replies = [await cdn.get('/a'), await cdn.get('/a')];
    // The second request of these was the one that confirmed.
    expect(replies.map(({ text }) => text)).toEqual(['answer 3', 'answer 4']);
    for (const { headers } of replies) {
      expect(headers).toMatchObject('set-cookie' in news ? { 'set-cookie': ['session=1'] } : news);
      expect(headers['cache-status']).not.toMatch(/; hit/);
    }
  });

  test('Vary that is new: it is for requests like the one that was told so', async () => {
    cdn.says({ 'cache-control': 'max-age=10', etag: '"a"' });
    await cdn.get('/a');
    cdn.edge.clock.advance(11_000);
    const news = { 'cache-control': 'max-age=60', etag: '"a"', vary: 'x-plan' };
    cdn.says(news, 304);
    expect((await cdn.get('/a', { 'x-plan': 'gold' })).text).toBe('answer 1');
    cdn.says(news);
    const plans = ['gold', 'silver'];
    const replies = await Promise.all(plans.map((plan) => cdn.get('/a', { 'x-plan': plan })));
    expect(replies.map(({ text }) => text)).toEqual(['answer 1', 'answer 3']);
    expect(replies[1]?.headers['cache-status']).toMatch(/fwd=vary-miss/);
  });

  test('a rule that stores by force goes on', async () => {
    const ttl = { seconds: 10, statuses: [200], force: true };
    await cdn.startAnew({ rules: [{ match: {}, bypass: false, ttl, query: KEEP }] });
    cdn.says({ etag: '"a"', 'cache-control': 'private' });
    await cdn.get('/a');
    cdn.edge.clock.advance(11_000);
    cdn.says({ etag: '"a"', 'cache-control': 'private', 'set-cookie': 'session=1' }, 304);
    expect(await cdn.get('/a')).toMatchObject({ status: 200, text: 'answer 1' });
    expect((await cdn.get('/a')).headers['cache-status']).toMatch(/; hit/);
    expect(cdn.origin.requests).toHaveLength(2);
  });
});

describe('aliases of a domain, where the answer varies on Host (RFC 9111 4.1):', () => {
  const [one, other] = ['video.example.com', 'v2.example.com'];
  const getBoth = () => Promise.all([one, other].map((host) => cdn.edge.get('/a', { host })));

  test.each([
    ['each gets its own', undefined, [one, other], 2],
    [
      'they share one where the origin is asked by one name',
      'origin.internal',
      Array(2).fill('origin.internal'),
      1,
    ],
  ])('%s', async (_name, hostHeader, texts, fetched) => {
    const named = { name: 'main', url: cdn.origin.url, ...(hostHeader && { hostHeader }) };
    await cdn.edge.publish([domainOf(cdn.origin.url, { origin: named })]);
    cdn.origin.answer(({ headers }, response) =>
      response.writeHead(200, { 'cache-control': 'max-age=60', vary: 'Host' }).end(headers.host),
    );
    // Once together, as one may wait for the other's fetch, and once from the cache.
    for (let turn = 0; turn < 2; turn++) {
      expect((await getBoth()).map(({ text }) => text)).toEqual(texts);
      expect(cdn.origin.requests).toHaveLength(fetched);
    }
  });
});

test('a request’s no-store keeps its answer out (RFC 9111 5.2.1.5)', async () => {
  expect(
    await isShared({ 'cache-control': 'max-age=60' }, { request: { 'cache-control': 'no-store' } }),
  ).toBe(false);
});

test('no part of a cookie is in what a rule has stored by force', async () => {
  const forced = { seconds: 60, statuses: [200], force: true };
  await cdn.startAnew({
    rules: [{ match: {}, bypass: false, ttl: forced, query: KEEP }],
  });
  cdn.says({ 'set-cookie': ['session=1', 'b=2'] });
  for (const turn of [1, 2]) {
    const reply = await cdn.get('/a');
    expect(reply.text, String(turn)).toBe('answer 1');
    expect(reply.headers).not.toHaveProperty('set-cookie');
  }
});
