/** What steps.ts says about adding a step, done: one that lets nobody in without a word. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { textAnswer } from './answer/answer.ts';
import type { Step } from './steps.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge } from './testing/test-edge.ts';

const asksForWord: Step = {
  concerns: ({ label }) => label === 'demo/video',
  run: ({ request, domain }) =>
    request.headers['x-word'] === 'sesame'
      ? undefined
      : textAnswer(403, 'without the word nobody comes in', { domain: domain.label }),
};

const never: Step = {
  concerns: () => false,
  run: () => textAnswer(500, 'it was asked about a domain that it does not concern'),
};

let origin: ScriptOrigin;
let edge: TestEdge;

beforeEach(async () => {
  origin = await startScriptOrigin((_request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=60' }).end('open'),
  );
  const other = { uid: 'uid-other', name: 'other', hostnames: ['other.example.com'] };
  const domains = [domainOf(origin.url), domainOf(origin.url, other)];
  edge = await startTestEdge({ origin: origin.url, domains, steps: [never, asksForWord] });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const word = { headers: { 'x-word': 'sesame' } };
const keepAlive = { headers: { connection: 'keep-alive' } };

test('it is asked before the cache, also where a hit would be ready, and its answers are counted', async () => {
  expect((await edge.get('/a')).status).toBe(403);
  expect(origin.requests).toHaveLength(0);
  expect((await edge.get('/a', word)).text).toBe('open');
  expect((await edge.get('/a', word)).headers['cache-status']).toMatch(/hit/);
  expect((await edge.get('/a', keepAlive)).status).toBe(403);
  expect(await edge.metric('requests_total', '{domain="demo/video",result="refused"}')).toBe(2);
  expect(await edge.metric('fast_hits_total')).toBe(0);
});

test('domains that it does not concern keep the fast path', async () => {
  const host = 'other.example.com';
  await edge.get('/a', { host });
  expect((await edge.get('/a', { ...keepAlive, host })).text).toBe('open');
  expect(await edge.metric('fast_hits_total')).toBe(1);
});
