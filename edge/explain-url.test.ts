import { afterEach, beforeEach, expect, test } from 'vitest';
import type { UrlExplanation } from './explain-url.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { domainOf, fetchFrom, KEEP, startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

beforeEach(async () => {
  origin = await startScriptOrigin((_request, response) =>
    response
      .writeHead(200, { 'cache-control': 'max-age=60, stale-if-error=600', vary: 'x-v', 'cache-tag': 'film' })
      .end('body'),
  );
  edge = await startTestEdge({ origin: origin.url });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

async function explain(url: string, ...headers: string[]): Promise<UrlExplanation> {
  const query = new URLSearchParams([['url', url], ...headers.map((header) => ['header', header])]);
  const reply = await fetchFrom(edge.edge.admin.port, `/explain?${query.toString()}`, { host: 'admin' });
  return JSON.parse(reply.text);
}

test('the key, the rule, what is stored, and why it is used or not; the origin is not asked', async () => {
  const rule = {
    match: { pathPrefix: '/v/' },
    bypass: false,
    query: { mode: 'Allow' as const, names: ['v'] },
  };
  await edge.publish([domainOf(origin.url, { rules: [rule] })]);
  expect(await explain('https://v2.example.com/v/%61?x=1&v=2')).toEqual({
    node: 'zz-1',
    url: 'https://v2.example.com/v/%61?x=1&v=2',
    domain: 'demo/video',
    rule: { number: 1, bypass: false, says: { query: rule.query } },
    key: { path: '/v/a', query: '?v=2', mode: 'Allow:v' },
    verdict: 'fwd=uri-miss: nothing is stored under this key',
    variants: [],
  });
  await edge.get('/v/a?v=2', { headers: { 'x-v': '1' } });
  const url = 'http://video.example.com/v/a?v=2';
  const hit = await explain(url, 'X-V: 1');
  expect(hit.verdict).toBe('hit');
  expect(hit.variants).toMatchObject([
    { chosen: true, status: 200, size: 4, ageSeconds: 0, selection: [['x-v', '1']], tags: ['film'] },
  ]);
  expect((await explain(url)).verdict).toMatch(/^fwd=vary-miss/);
  expect((await explain(url, 'X-V: 1', 'Cache-Control: no-cache')).verdict).toMatch(/^fwd=request/);
  edge.clock.advance(90_000);
  const stale = await explain(url, 'X-V: 1');
  expect(stale.verdict).toMatch(/^fwd=stale: .*used if the origin fails/);
  expect(stale.variants?.[0]?.freshSeconds).toBeLessThan(0);
  expect(origin.requests).toHaveLength(1);
});

test('what never comes to the cache', async () => {
  await edge.publish([domainOf(origin.url, { rules: [{ match: {}, bypass: true, query: KEEP }] })]);
  expect((await explain('http://video.example.com/a')).verdict).toBe('fwd=bypass: rule 1 says so');
  expect((await explain('http://other.example.com/a')).verdict).toMatch(/^404/);
  expect((await explain('http://video.example.com/%zz')).verdict).toMatch(/^400/);
  expect((await explain('')).verdict).toMatch(/^400/);
});
