/** Stale content: used while one fetch asks the origin, or instead of its failure (RFC 5861), and where it must not be. */
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { EdgeRule } from '../contract/plans/edge-plan.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { scriptedCdn } from './testing/scripted-cdn.ts';
import { domainOf, KEEP } from './testing/test-edge.ts';

const cdn = scriptedCdn();

const says = (control: string, more = {}) => cdn.says({ 'cache-control': control, ...more });
const fails = (status: number) =>
  cdn.origin.answer((_request, response) => response.writeHead(status).end('sorry'));
const rule = (more: Partial<EdgeRule>) =>
  cdn.edge.publish([
    domainOf(cdn.origin.url, { rules: [{ match: {}, bypass: false, query: KEEP, ...more }] }),
  ]);
const status = (reply: { headers: object }) => String(Reflect.get(reply.headers, 'cache-status'));

describe('while it is revalidated:', () => {
  test('many clients get the stale answer at once, one fetch goes out, then all get the new one', async () => {
    says('max-age=10, stale-while-revalidate=30');
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(15_000);
    const open: ServerResponse[] = [];
    cdn.origin.answer((_request, response) => open.push(response));
    const replies = await Promise.all(Array.from({ length: 20 }, () => cdn.edge.get('/a')));
    expect(new Set(replies.map(({ text }) => text))).toEqual(new Set(['answer 1']));
    expect(replies[0]?.headers).toMatchObject({ age: expect.stringMatching(/^1[56]$/) });
    expect(status(replies[0] ?? { headers: {} })).toMatch(/^zz-1; hit; ttl=-[56]$/);
    await eventually(() => expect(open).toHaveLength(1));
    open[0]?.writeHead(200, { 'cache-control': 'max-age=10' }).end('new');
    await eventually(async () => expect((await cdn.edge.get('/a')).text).toBe('new'));
    expect(cdn.origin.requests).toHaveLength(2);
    expect(
      await cdn.edge.metric('requests_total', '{domain="demo/video",result="stale"}'),
    ).toBeGreaterThanOrEqual(20);
  });

  test.each([
    ['the window is over', 'max-age=10, stale-while-revalidate=30', 45_000, {}],
    ['must-revalidate', 'max-age=10, stale-while-revalidate=30, must-revalidate', 15_000, {}],
    [
      'the client wants no more than this age',
      'max-age=10, stale-while-revalidate=30',
      15_000,
      { 'cache-control': 'max-age=12' },
    ],
    [
      'the client wants it confirmed',
      'max-age=10, stale-while-revalidate=30',
      15_000,
      { 'cache-control': 'no-cache' },
    ],
    ['the window is no number', 'max-age=10, stale-while-revalidate=x', 15_000, {}],
    ['no window', 'max-age=10', 15_000, {}],
  ])('not when %s', async (_name, control, wait, headers) => {
    says(control);
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(wait);
    expect((await cdn.edge.get('/a', { headers })).text).toBe('answer 2');
  });

  test('a rule’s window replaces the origin’s; must-revalidate still wins, unless forced', async () => {
    await rule({ staleWhileRevalidate: 30 });
    says('max-age=10');
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(15_000);
    expect((await cdn.edge.get('/a')).text).toBe('answer 1');
    await eventually(() => expect(cdn.origin.requests).toHaveLength(2));
    says('max-age=10, must-revalidate');
    await cdn.edge.get('/b');
    cdn.edge.clock.advance(15_000);
    expect((await cdn.edge.get('/b')).text).toBe('answer 4');
    await rule({ staleWhileRevalidate: 30, ttl: { seconds: 10, statuses: [200], force: true } });
    cdn.edge.clock.advance(15_000);
    expect((await cdn.edge.get('/b')).text).toBe('answer 4');
  });

  test('after a soft purge, from then on', async () => {
    says('max-age=1000, stale-while-revalidate=30');
    await cdn.edge.get('/a');
    await cdn.edge.command({
      type: 'purge',
      uid: 'p',
      domain: 'uid-video',
      target: { by: 'everything' },
      soft: true,
    });
    expect((await cdn.edge.get('/a')).text).toBe('answer 1');
    await eventually(async () => expect((await cdn.edge.get('/a')).text).toBe('answer 2'));
  });

  test('not of what was stored before a purge that may have been missed', async () => {
    says('max-age=1000, stale-while-revalidate=30, stale-if-error=30');
    await cdn.edge.get('/a');
    await cdn.edge.command({ type: 'revalidateAll', uid: 'r' });
    expect((await cdn.edge.get('/a')).text).toBe('answer 2');
    await cdn.edge.command({ type: 'revalidateAll', uid: 'r2' });
    fails(503);
    expect((await cdn.edge.get('/a')).status).toBe(503);
  });

  test.each([
    ['is not shareable any more', 'private', 200],
    ['is not stored any more, and has no lifetime', '', 200],
    ['is that it is gone', '', 404],
  ])('an answer that %s ends it (RFC 9111 4.3.3)', async (_name, control, code) => {
    says('max-age=10, stale-while-revalidate=3000, stale-if-error=3000');
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(15_000);
    cdn.says({ 'cache-control': control }, code);
    expect((await cdn.edge.get('/a')).text).toBe('answer 1');
    await eventually(async () => expect((await cdn.edge.get('/a')).status).toBe(code));
    await eventually(async () => expect((await cdn.edge.get('/a')).text).not.toBe('answer 1'));
    // Nor does it come back in place of an error.
    fails(503);
    expect((await cdn.edge.get('/a')).status).toBe(503);
  });

  test.each([
    ['a failure', 500, {}],
    ['too many requests', 429, {}],
    ['one client’s own answer', 200, { authorization: 'Basic x' }],
  ])('%s does not', async (_name, code, headers) => {
    says('max-age=10, stale-while-revalidate=30');
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(15_000);
    cdn.says({ 'cache-control': 'private' }, code);
    await cdn.edge.get('/a', { headers });
    await eventually(() => expect(cdn.origin.requests).toHaveLength(2));
    expect((await cdn.edge.get('/a')).text).toBe('answer 1');
  });
});

describe('instead of an error:', () => {
  test.each([500, 502, 503, 504])('%d, and the good answer stays', async (code) => {
    says('max-age=10, stale-if-error=60');
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(15_000);
    fails(code);
    const reply = await cdn.edge.get('/a');
    expect(reply).toMatchObject({ status: 200, text: 'answer 1' });
    expect(status(reply)).toMatch(`zz-1; fwd=stale; fwd-status=${code}; ttl=-`);
    expect(status(reply)).toContain(`detail=STATUS_${code}`);
    says('max-age=10');
    expect((await cdn.edge.get('/a')).text).toBe('answer 3');
  });

  test('for a HEAD as for a GET', async () => {
    says('max-age=10, stale-if-error=60', { 'x-own': '1' });
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(15_000);
    fails(503);
    const reply = await cdn.edge.get('/a', { method: 'HEAD' });
    expect(reply).toMatchObject({ status: 200, headers: { 'x-own': '1' } });
    expect(status(reply)).toMatch(/^zz-1; fwd=stale; fwd-status=503; ttl=-/);
    expect(cdn.origin.requests.map(({ method }) => method)).toEqual(['GET', 'HEAD']);
  });

  test('no connection', async () => {
    await rule({ staleIfError: 60 });
    says('max-age=10');
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(15_000);
    await cdn.edge.publish([
      domainOf('http://127.0.0.1:1', {
        rules: [{ match: {}, bypass: false, query: KEEP, staleIfError: 60 }],
      }),
    ]);
    const reply = await cdn.edge.get('/a');
    expect(reply.text).toBe('answer 1');
    expect(status(reply)).toMatch(/fwd=stale; ttl=-.*detail=ECONNREFUSED/);
    expect(await cdn.edge.metric('requests_total', '{domain="demo/video",result="stale"}')).toBe(1);
  });

  test('for all who waited for the one fetch', async () => {
    says('max-age=10, stale-if-error=60');
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(15_000);
    const open: ServerResponse[] = [];
    cdn.origin.answer((_request, response) => open.push(response));
    const waiting = [cdn.edge.get('/a'), cdn.edge.get('/a'), cdn.edge.get('/a')];
    await eventually(() => expect(open.length).toBeGreaterThan(0));
    for (const response of open) response.writeHead(503).end();
    expect((await Promise.all(waiting)).map(({ text }) => text)).toEqual(Array(3).fill('answer 1'));
    expect(cdn.origin.requests).toHaveLength(2);
  });

  test.each([
    ['the window is over', 'max-age=10, stale-if-error=60', 503, 75_000, {}],
    ['must-revalidate', 'max-age=10, stale-if-error=60, must-revalidate', 503, 15_000, {}],
    [
      'the client wants it confirmed',
      'max-age=10, stale-if-error=60',
      503,
      15_000,
      { 'cache-control': 'no-cache' },
    ],
    ['404 is an answer', 'max-age=10, stale-if-error=60', 404, 15_000, {}],
    ['501 is an answer', 'max-age=10, stale-if-error=60', 501, 15_000, {}],
  ])('not when %s', async (_name, control, code, wait, headers) => {
    says(control);
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(wait);
    fails(code);
    expect(await cdn.edge.get('/a', { headers })).toMatchObject({ status: code, text: 'sorry' });
  });
});

describe('heuristic freshness by rule (RFC 9111 4.2.2):', () => {
  const changed = (secondsAgo: number) => ({
    'last-modified': new Date(cdn.edge.clock.now() - secondsAgo * 1_000).toUTCString(),
  });

  test('a tenth of the age of the content, at most the rule’s limit; off without a rule', async () => {
    says('public', changed(1_000));
    await cdn.edge.get('/off');
    expect(status(await cdn.edge.get('/off'))).toMatch(/fwd=stale/);
    await rule({ heuristicTtl: 500 });
    await cdn.edge.get('/a');
    expect(status(await cdn.edge.get('/a'))).toMatch(/hit; ttl=(100|99)$/);
    says('public', changed(1_000_000));
    await cdn.edge.get('/b');
    expect(status(await cdn.edge.get('/b'))).toMatch(/hit; ttl=(500|499)$/);
  });

  test('what is said explicitly counts, and statuses that are not cacheable by default get none', async () => {
    await rule({ heuristicTtl: 500 });
    says('max-age=5', changed(1_000_000));
    await cdn.edge.get('/a');
    expect(status(await cdn.edge.get('/a'))).toMatch(/hit; ttl=[45]$/);
    const headers = changed(1_000_000);
    cdn.origin.answer((_request, response) => response.writeHead(403, headers).end());
    await cdn.edge.get('/b');
    expect(status(await cdn.edge.get('/b'))).toMatch(/fwd=/);
  });

  test('a confirmation makes it fresh again', async () => {
    await rule({ heuristicTtl: 500 });
    says('', { ...changed(1_000), etag: '"1"' });
    await cdn.edge.get('/a');
    cdn.edge.clock.advance(200_000);
    cdn.origin.answer((_request, response) => response.writeHead(304, { etag: '"1"' }).end());
    expect(status(await cdn.edge.get('/a'))).toMatch(/fwd-status=304; ttl=1[12]\d$/);
  });
});

test('Warning is not kept (RFC 9111 5.5)', async () => {
  says('max-age=10', { warning: '110 - "stale"' });
  await cdn.edge.get('/a');
  expect((await cdn.edge.get('/a')).headers).not.toHaveProperty('warning');
});

test('answers are timed, by domain and by what the cache did', async () => {
  says('max-age=10');
  await cdn.edge.get('/a');
  expect(await cdn.edge.metric('answer_seconds_count', '{domain="demo/video",result="miss"}')).toBe(1);
  expect(await cdn.edge.metric('answer_seconds_bucket', '{le="30",domain="demo/video",result="miss"}')).toBe(
    1,
  );
});
