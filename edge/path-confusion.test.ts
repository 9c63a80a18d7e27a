/** The key, the cache rule and the origin must read one path alike, however it is written. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rawExchange } from './testing/raw-exchange.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { KEEP, startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

beforeAll(async () => {
  origin = await startScriptOrigin((request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=600' }).end(request.url),
  );
  const ttl = { seconds: 600, statuses: [200], force: false };
  edge = await startTestEdge({
    origin: origin.url,
    rules: [
      { match: { pathPrefix: '/private/' }, bypass: true, query: KEEP },
      { match: { extensions: ['js'] }, bypass: false, ttl, query: KEEP },
    ],
  });
});

afterAll(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const PIECES = [
  'private',
  '%70rivate',
  'a',
  '%61',
  '.',
  '..',
  '%2e',
  '%2E%2e',
  '%2F',
  '%2f',
  '%5c',
  '\\\\',
  ';x=1',
  '%00',
  '%zz',
  'a.js',
  '%2ejs',
  '%252e',
  '%20',
  'ü',
  '//',
  '~',
  '%7E',
  '*',
  ':',
];
const piece = fc.constantFrom(...PIECES);
const path = fc.array(piece, { maxLength: 6 }).map((pieces) => `/${pieces.join('/')}`);

async function ask(target: string): Promise<{ status: string; seen: string; cacheStatus: string }> {
  const answer = await rawExchange(
    edge.port,
    `GET ${target} HTTP/1.1\r\nHost: video.example.com\r\nConnection: close\r\n\r\n`,
  );
  const [, status = ''] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? [];
  const [, cacheStatus = ''] = /\r\ncache-status: (.*)\r\n/i.exec(answer) ?? [];
  return { status, cacheStatus, seen: answer.slice(answer.indexOf('\r\n\r\n') + 4) };
}

test('rules see what the origin sees, and what it saw is the same object', async () => {
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(path, async (target) => {
      const { status, seen, cacheStatus } = await ask(target);
      // What cannot be read in one way is refused, and nobody sees it.
      if (status === '400') return;
      answered++;
      expect(status).toBe('200');
      const body = /^[0-9a-f]+\r\n(.*)\r\n0\r\n/s.exec(seen)?.[1] ?? seen;
      expect(body).not.toMatch(/\/\.\.?(\/|$)|%2e|%[0-9a-f]?[a-f]|[^\x21-\x7e]/);
      expect(cacheStatus.includes('detail=rule-1')).toBe(body.startsWith('/private/'));
      // Written as the origin saw it, it is answered alike: from the cache, where the first one was stored.
      const again = await ask(body);
      expect(again.status).toBe('200');
      expect(again.cacheStatus.includes('; hit;')).toBe(!body.startsWith('/private/'));
    }),
    { seed: 9110, numRuns: 300 },
  );
  expect(answered).toBeGreaterThan(100);
}, 60_000);
