import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge } from '../testing/test-edge.ts';
import { redirectsToItself } from './self-redirect.ts';

const key = { domain: 'd', path: '/a b/c', query: '', mode: '', id: '' };
const to = (location: string, status = 301) =>
  redirectsToItself(key, { status, headers: [['location', location]] });

test.each([
  ['https://video.example.com/a%20b/c', true],
  ['http://www.example.com/a%20b/c?lang=en', true],
  ['/a%20b/c', true],
  ['https://video.example.com/a%20b/c/', false],
  ['/login', false],
  ['not a url at all:', false],
])('%s: %s', (location, itself) => expect(to(location)).toBe(itself));

test('only of redirects', () => {
  expect(to('/a%20b/c', 201)).toBe(false);
  expect(redirectsToItself(key, { status: 301, headers: [] })).toBe(false);
});

let origin: ScriptOrigin;
let edge: TestEdge;
beforeAll(async () => {
  origin = await startScriptOrigin(({ headers: { host }, url }, response) => {
    const cached = { 'cache-control': 'max-age=3600' };
    if (host === 'www.example.com') return response.writeHead(200, cached).end('here');
    return response.writeHead(301, { ...cached, location: `http://www.example.com${url}` }).end();
  });
  const domain = { ...domainOf(origin.url), hostnames: ['video.example.com', 'www.example.com'] };
  edge = await startTestEdge({ origin: origin.url, domains: [domain] });
});
afterAll(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

test('who comes by the name that the origin wants gets the content, and not the redirect of those who did not', async () => {
  const first = await edge.get('/a', { host: 'video.example.com' });
  expect([first.status, first.headers.location]).toEqual([301, 'http://www.example.com/a']);
  expect(first.headers['cache-status']).toContain('detail=redirect-to-itself');
  const second = await edge.get('/a', { host: 'www.example.com' });
  expect([second.status, second.body.toString()]).toEqual([200, 'here']);
});
