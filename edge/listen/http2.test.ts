/** HTTP/2 from outside: the same answers and the same cache as HTTP/1.1, by Node's own client. */
import { once } from 'node:events';
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { secretsOf, type TestCa, type TestCertificate, testCa, tlsWith } from '../testing/certificates.ts';
import { ask, openHttp2 } from '../testing/http2-client.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge, type TestEdgeOptions } from '../testing/test-edge.ts';

let ca: TestCa;
let certificate: TestCertificate;
let origin: ScriptOrigin;
let edge: TestEdge;
let session: ClientHttp2Session;

const LARGE = Buffer.alloc(3_000_000, 'x');
const NUMBERED = Buffer.from(Uint32Array.from({ length: 750_000 }, (_, index) => index).buffer);

beforeAll(async () => {
  ca = await testCa();
  certificate = await ca.issue('demo/video', ['video.example.com']);
});

beforeEach(async () => {
  origin = await startScriptOrigin((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=600' });
    response.end(request.url === '/large' ? LARGE : 'hello');
  });
});

async function start(options: Partial<TestEdgeOptions> = {}) {
  edge = await startTestEdge({
    origin: origin.url,
    secrets: secretsOf([certificate]),
    domains: [domainOf(origin.url, { tls: tlsWith([certificate], { hsts: 'max-age=300' }) })],
    ...options,
  });
  session = await openHttp2(edge.tlsPort, { ca: ca.ca });
  // As browsers do; where there is no more than the least, node:http2 has all of it.
  session.setLocalWindowSize(2 ** 24);
}

afterEach(async () => {
  session.destroy();
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

test('has the cache of HTTP/1.1, and of its fields all but those of the connection', async () => {
  await start();
  origin.answer((_request, response) => {
    const ofConnection = { connection: 'x-hop, keep-alive', 'x-hop': 'one' };
    response.writeHead(200, { ...ofConnection, 'set-cookie': ['a=1', 'b=2'] }).end('hello');
  });
  const miss = await ask(session, { ':path': '/b' });
  expect(miss).toMatchObject({ status: 200, text: 'hello' });
  expect(miss.headers['cache-status']).toMatch(/fwd=uri-miss/);
  expect(miss.headers['set-cookie']).toEqual(['a=1', 'b=2']);
  expect(miss.headers).not.toHaveProperty('x-hop');
  expect(miss.headers).not.toHaveProperty('connection');
  origin.answer((_request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=600' }).end('new'),
  );
  await ask(session, { ':path': '/a' });
  const hits = [await ask(session, { ':path': '/a' }), await ask(session, { ':path': '/a', 'x-odd': '1' })];
  for (const { headers, text } of hits) {
    expect(headers['cache-status']).toMatch(/; hit/);
    expect(headers['strict-transport-security']).toBe('max-age=300');
    expect(text).toBe('new');
  }
  // The fields of a hit are the same, from the fast path and from the other.
  expect(Object.keys(hits[0]?.headers ?? {}).sort()).toEqual(Object.keys(hits[1]?.headers ?? {}).sort());
  expect(await edge.metric('fast_hits_total')).toBe(1);
  expect((await edge.get('/a')).headers['cache-status']).toMatch(/; hit/);
});

test('Via has how each was asked: us by 2.0, the origin by 1.1 (RFC 9110 7.6.3)', async () => {
  await start();
  for (const turn of ['miss', 'hit', 'ready']) {
    const { headers } = await ask(session, { ':path': '/a', via: '1.0 fred' });
    expect(headers.via, turn).toBe('1.1 weir-zz-1');
  }
  expect(origin.requests.map(({ headers }) => headers.via)).toEqual(['1.0 fred, 2.0 weir-zz-1']);
});

test('a range across slices is taken straight from their files', async () => {
  const rules = [
    { match: {}, bypass: false, slices: true, query: { mode: 'Keep', names: [] as string[] } } as const,
  ];
  const tls = tlsWith([certificate], { hsts: 'max-age=300' });
  await start({ domains: [domainOf(origin.url, { tls, rules: [...rules] })] });
  origin.answer(({ headers: { range } }, response) => {
    const [, from = '0', to = ''] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    const part = NUMBERED.subarray(Number(from), Number(to) + 1);
    const where = `bytes ${from}-${Number(from) + part.length - 1}/${NUMBERED.length}`;
    response
      .writeHead(206, { 'cache-control': 'max-age=600', etag: '"1"', 'content-range': where })
      .end(part);
  });
  const [first, last] = [1_000_000, 2_200_000];
  const asked = { ':path': '/film', range: `bytes=${first}-${last}` };
  await eventually(async () => {
    const before = await edge.metric('fast_hits_total');
    const { status, text } = await ask(session, asked);
    expect(status).toBe(206);
    expect(text === NUMBERED.toString('latin1', first, last + 1)).toBe(true);
    expect(await edge.metric('fast_hits_total')).toBe(before + 1);
  });
});

test('trailers of the origin are dropped (RFC 9110 6.5.1)', async () => {
  await start();
  origin.answer((_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60', trailer: 'x-sum' });
    response.write('hello');
    response.addTrailers({ 'x-sum': '1' });
    response.end();
  });
  for (const method of ['GET', 'GET', 'POST']) {
    const stream = session.request({
      ':path': '/trailers',
      ':authority': 'video.example.com',
      ':method': method,
      te: 'trailers',
    });
    let trailers: unknown;
    stream.on('trailers', (fields) => {
      trailers = fields;
    });
    const headers = await new Promise<object>((resolve) => stream.once('response', resolve));
    await new Promise((resolve) => stream.resume().end().once('close', resolve));
    expect(headers).not.toHaveProperty('trailer');
    expect(trailers).toBeUndefined();
  }
  for (const { headers } of origin.requests) expect(headers).not.toHaveProperty('te');
});

test('the origin hears one Host, one Cookie, and who asked', async () => {
  await start();
  const stream = session.request({
    ':path': '/a',
    ':authority': 'video.example.com',
    cookie: ['a=1', 'b=2'],
  });
  await new Promise((resolve) => stream.resume().once('close', resolve));
  expect(origin.requests[0]?.headers).toMatchObject({
    host: 'video.example.com',
    cookie: 'a=1; b=2',
    'x-forwarded-proto': 'https',
    'x-forwarded-for': '127.0.0.1',
    via: '2.0 weir-zz-1',
  });
});

test('HEAD, ranges, conditions', async () => {
  await start();
  const path = { ':path': '/large' };
  await ask(session, path);
  const head = await ask(session, { ...path, ':method': 'HEAD' });
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers['content-length']).toBe('3000000');
  const part = await ask(session, { ...path, range: 'bytes=1-3' });
  expect(part).toMatchObject({ status: 206, text: 'xxx' });
  expect(part.headers['content-range']).toBe('bytes 1-3/3000000');
  const head404 = await ask(session, { ':path': '/', ':method': 'HEAD', ':authority': 'video.example.com' });
  expect(head404.status).toBe(200);
});

test('an interim answer keeps all of its fields, of which there may be several of one name (RFC 8297 2)', async () => {
  await start();
  const links = ['</a.css>; rel=preload', '</b.js>; rel=preload'];
  origin.answer((_request, response) => {
    const fields = [...links.map((link) => `Link: ${link}`), 'Date: today', 'Date: tomorrow', 'X-Own: yes'];
    response.socket?.write(`HTTP/1.1 103 Early Hints\r\n${fields.join('\r\n')}\r\n\r\n`);
    response.end('hello');
  });
  const stream = session.request({ ':path': '/a', ':authority': 'video.example.com' });
  const [hints, , raw] = (await once(stream, 'headers')) as [IncomingHttpHeaders, number, string[]];
  expect(hints).toMatchObject({ ':status': 103, 'x-own': 'yes' });
  expect(raw.filter((_, index) => raw[index - 1] === 'link')).toEqual(links);
  const [{ ':status': status }] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  expect(status).toBe(200);
  stream.resume();
  await once(stream, 'close');
});

test('a hundred at once on one connection, large ones whole', async () => {
  await start();
  const small = Array.from({ length: 90 }, (_, index) => ask(session, { ':path': `/s${index}` }));
  const large = Array.from({ length: 10 }, () => ask(session, { ':path': '/large' }));
  expect((await Promise.all(small)).every(({ text }) => text === 'hello')).toBe(true);
  expect((await Promise.all(large)).map(({ text }) => text.length)).toEqual(Array(10).fill(LARGE.length));
  expect(origin.count('/large')).toBe(1);
});

test('a body goes to the origin; Expect is answered; one that is refused does not have to come', async () => {
  await start();
  let came = '';
  origin.answer((request, response) => {
    request.on('data', (data) => {
      came += data;
    });
    request.on('end', () => response.end('thanks'));
  });
  const post = { ':method': 'POST', ':path': '/p', expect: '100-continue' };
  expect(await ask(session, post, 'a body')).toMatchObject({ status: 200, text: 'thanks', interim: [100] });
  expect(came).toBe('a body');
  const stream = session.request({ ':method': 'POST', ':path': '/p', ':authority': 'nobody.example' });
  stream.write('never ends');
  const [headers] = await new Promise<unknown[]>((resolve) =>
    stream.once('response', (...all) => resolve(all)),
  );
  expect(headers).toMatchObject({ ':status': 421 });
  await new Promise((resolve) => stream.resume().once('close', resolve));
  expect(stream.rstCode).toBe(0);
});

describe('what is not served', () => {
  test.each([
    ['another host', { ':authority': 'nobody.example' }, 421],
    ['two hosts', { host: 'nobody.example' }, 400],
    ['a long target', { ':path': `/${'a'.repeat(9_000)}` }, 414],
    ['too many fields', Object.fromEntries(Array.from({ length: 105 }, (_, i) => [`x-${i}`, '1'])), 431],
    ['TRACE', { ':method': 'TRACE' }, 405],
  ])('%s', async (_name, headers, status) => {
    await start();
    expect((await ask(session, { ':path': '/a', ...headers })).status).toBe(status);
    expect((await ask(session, { ':path': '/a' })).status).toBe(200);
  });

  test('fields of more bytes than the limit', async () => {
    await start({ settings: { limits: { headerSize: '4KiB' } } });
    const refused = ask(session, { ':path': '/a', 'x-large': 'x'.repeat(5_000) });
    expect(
      await refused.then(
        ({ status }) => status,
        () => 'reset',
      ),
    ).toSatisfy((is) => is === 431 || is === 'reset');
    expect((await ask(session, { ':path': '/a' })).status).toBe(200);
  });
});

test('a client that goes away takes its request with it, and no other one', async () => {
  await start();
  const gone = Promise.withResolvers<void>();
  origin.answer((request) => request.socket.once('close', () => gone.resolve()));
  const stream = session.request({ ':path': '/slow', ':method': 'POST', ':authority': 'video.example.com' });
  stream.on('error', () => {}).end('x');
  await eventually(() => expect(origin.count('/slow')).toBe(1));
  stream.close(8);
  await gone.promise;
  origin.answer((_request, response) => response.end('hello'));
  expect((await ask(session, { ':path': '/a' })).text).toBe('hello');
});

test('is told to go away when the edge stops, and what is under way comes to its end', async () => {
  await start();
  const held = Promise.withResolvers<() => void>();
  origin.answer((_request, response) => held.resolve(() => response.end('late')));
  const asked = ask(session, { ':path': '/slow' });
  const answer = await held.promise;
  const told = new Promise((resolve) => session.once('goaway', resolve));
  const stopping = edge.stop();
  expect(await told).toBe(0);
  answer();
  expect((await asked).text).toBe('late');
  await stopping;
  session.destroy();
  edge = await startTestEdge({ origin: origin.url, state: edge.state });
});

test('an idle connection ends', async () => {
  await start({ settings: { limits: { idleTimeout: '200ms' } } });
  await ask(session, { ':path': '/a' });
  await new Promise((resolve) => session.once('close', resolve));
});

test('is in the access log and the metrics as what it is', async () => {
  await start({
    settings: { accessLog: { file: 'log', format: '{protocol} {scheme} {url} {status} {client}' } },
  });
  for (let turn = 0; turn < 2; turn++) await ask(session, { ':path': '/a' });
  const { readFile } = await import('node:fs/promises');
  await eventually(async () => {
    edge.clock.advance(250);
    const text = await readFile(`${edge.state}/log`, 'utf8');
    expect(text).toBe('HTTP/2 https /a 200 127.0.0.1\n'.repeat(2));
  });
});
