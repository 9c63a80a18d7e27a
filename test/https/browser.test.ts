/** A page of a hundred parts in a real browser: all of them over HTTP/2, media by ranges, and a reload that is a 304. */
import { createHash, X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { type Browser, startBrowser } from './browser.ts';
import { HOST, type SecureEdge, startSecureEdge } from './secure-edge.ts';

const PARTS = 100;
const PAGE = `<!doctype html><title>parts</title><link rel="icon" href="data:,">${Array.from(
  { length: PARTS },
  (_, index) => `<img src="/part-${index}.svg" alt="">`,
).join('')}<audio src="/sound.wav" preload="auto"></audio>`;
const PART =
  '<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"><rect width="2" height="2"/></svg>';

let secure: SecureEdge;
let browser: Browser;
let at: string;

beforeAll(async () => {
  secure = await startSecureEdge(({ url = '/' }, response) => {
    const [type, body] = url.endsWith('.svg')
      ? ['image/svg+xml', PART]
      : url === '/sound.wav'
        ? ['audio/wav', silence(3_000_000)]
        : ['text/html', PAGE];
    response.setHeader('etag', '"1"');
    response.setHeader('cache-control', 'max-age=600');
    response.setHeader('content-type', type);
    response.end(body);
  });
  at = `https://${HOST}:${secure.edge.tlsPort}`;
  const keys = secure.certificates.map(({ chain }) =>
    createHash('sha256')
      .update(new X509Certificate(chain).publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64'),
  );
  browser = await startBrowser([
    `--host-resolver-rules=MAP ${HOST} 127.0.0.1`,
    `--ignore-certificate-errors-spki-list=${keys.join(',')}`,
  ]);
}, 120_000);
afterAll(async () => {
  await browser?.stop();
  await secure.stop();
}, 60_000);

const PATIENCE_MS = 60_000;
const partsShown = '[...document.images].filter((each) => each.complete && each.naturalWidth === 2).length';

test('a page with all that is on it', async () => {
  await browser.send('Page.navigate', { url: `${at}/` });
  await eventually(async () => expect(await browser.value(partsShown)).toBe(PARTS), PATIENCE_MS);
  const { responses } = browser;
  const parts = responses.filter(({ url }) => url.endsWith('.svg'));
  expect(new Set(parts.map(({ url }) => url)).size).toBe(PARTS);
  for (const { protocol, status, url } of parts)
    expect({ protocol, status, url }).toEqual({ protocol: 'h2', status: 200, url });
  // Chromium asks for media by ranges from the first byte on.
  await eventually(
    async () => expect(await browser.value('document.querySelector("audio").duration')).toBeGreaterThan(10),
    PATIENCE_MS,
  );
  expect(responses.find(({ url }) => url.endsWith('.wav'))).toMatchObject({ status: 206, protocol: 'h2' });
}, 120_000);

test('seeking, by a range out of the cache', async () => {
  const part = await browser.value(
    'fetch("/sound.wav", { headers: { range: "bytes=2000000-2000009" }, cache: "no-store" }).then(async (answer) => [answer.status, answer.headers.get("content-range"), (await answer.arrayBuffer()).byteLength])',
  );
  expect(part).toEqual([206, 'bytes 2000000-2000009/3000044', 10]);
});

test('a reload is a 304; the origin is asked for the page alone, since the browser says max-age=0 of it', async () => {
  const asked = askedOf(secure);
  expect(browser.statuses).not.toContain(304);
  await browser.send('Page.reload');
  await eventually(() => expect(browser.statuses).toContain(304), PATIENCE_MS);
  await eventually(async () => expect(await browser.value(partsShown)).toBe(PARTS), PATIENCE_MS);
  expect(askedOf(secure)).toEqual(['/ ', ...asked]);
}, 120_000);

test('who comes with an empty cache is answered past node:http2', async () => {
  await browser.send('Network.clearBrowserCache');
  const before = await secure.edge.metric('fast_hits_total');
  await browser.send('Page.navigate', { url: `${at}/?again` });
  await eventually(async () => expect(await browser.value(partsShown)).toBe(PARTS), PATIENCE_MS);
  expect((await secure.edge.metric('fast_hits_total')) - before).toBeGreaterThanOrEqual(PARTS);
}, 120_000);

const askedOf = ({ origin }: SecureEdge) =>
  origin.requests.map(({ url, headers: { range = '' } }) => `${url} ${range}`).sort();

/** A sound of so many bytes: 8 bits, 44,100 of them a second. */
function silence(bytes: number): Buffer {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + bytes, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(44_100, 24);
  head.writeUInt32LE(44_100, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(bytes, 40);
  return Buffer.concat([head, Buffer.alloc(bytes, 128)]);
}
