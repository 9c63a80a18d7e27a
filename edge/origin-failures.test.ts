import { request } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../lib/listen.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { domainOf, KEEP, startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

beforeEach(async () => {
  origin = await startScriptOrigin((_request, response) => response.end());
  edge = await startTestEdge({
    origin: origin.url,
    timeouts: { connectMs: 500, headMs: 300, bodyMs: 300 },
  });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

/** An origin below HTTP: gets each socket, and what was written to it first. */
async function rawOrigin(each: (socket: Socket, turn: number) => void): Promise<Server> {
  let turn = 0;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => each(socket, ++turn));
  });
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  await edge.publish([domainOf(`http://127.0.0.1:${port}`)]);
  return server;
}

test('refused: 502 that says which origin of which domain, and why', async () => {
  await edge.publish([domainOf('http://127.0.0.1:1')]);
  const reply = await edge.get('/a');
  expect(reply.status).toBe(502);
  expect(reply.text).toBe('origin "main" of domain demo/video: it gave no usable answer (ECONNREFUSED)\n');
  expect(reply.headers['cache-status']).toBe('zz-1; fwd=uri-miss; detail=ECONNREFUSED');
  expect(reply.headers['content-type']).toMatch(/text\/plain/);
  expect(await edge.metric('requests_total', '{domain="demo/video",result="error"}')).toBe(1);
  expect(await edge.metric('origin_requests_total', '{domain="demo/video",answer="none"}')).toBe(1);
});

test('silent: 504, for all who waited', async () => {
  origin.answer(() => {});
  const replies = await Promise.all([edge.get('/a'), edge.get('/a'), edge.get('/a')]);
  expect(replies.map(({ status }) => status)).toEqual([504, 504, 504]);
  expect(replies[0]?.text).toMatch(/it did not answer in time \(UND_ERR_HEADERS_TIMEOUT\)/);
  expect(origin.requests).toHaveLength(1);
});

test.each([
  ['small, by length', { 'content-length': '1000' }, 'part'],
  ['large, by length', { 'content-length': '5000000' }, 'x'.repeat(2_000_000)],
  ['chunked', {}, 'part'],
])(
  'broken off, %s: the client sees a broken transfer, and nothing is stored',
  async (_name, headers, part) => {
    origin.answer((_request, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60', ...headers });
      response.write(part, () => setTimeout(() => response.destroy(), 20));
    });
    const replies = await Promise.allSettled([edge.get('/a'), edge.get('/a')]);
    expect(replies.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    origin.answer((_request, response) => response.end('whole'));
    expect((await edge.get('/a')).text).toBe('whole');
    expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(0);
  },
);

test.each(['max-age=60', 'private'])(
  'a body without a length whose connection is reset is broken off, not at its end (RFC 9112 8): %s',
  async (control) => {
    const server = await rawOrigin((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: ${control}\r\n\r\npart`);
      setTimeout(() => socket.resetAndDestroy(), 20);
    });
    await expect(edge.get('/a')).rejects.toThrow();
    expect(await edge.metric('stored_objects', '{tier="memory"}')).toBe(0);
    server.close();
  },
);

test('a body without a length that ends with its connection is whole', async () => {
  const server = await rawOrigin((socket) =>
    socket.end('HTTP/1.0 200 OK\r\nCache-Control: max-age=60\r\n\r\nwhole'),
  );
  expect((await edge.get('/a')).text).toBe('whole');
  const hit = await edge.get('/a');
  expect(hit).toMatchObject({ text: 'whole', headers: { 'content-length': '5' } });
  expect(hit.headers['cache-status']).toMatch(/; hit/);
  server.close();
});

test('a transfer coding that nobody asked for: 502, not its bytes as the content (RFC 9112 6.1)', async () => {
  const server = await rawOrigin((socket) =>
    socket.end(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nCache-Control: max-age=60\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    ),
  );
  const reply = await edge.get('/a');
  expect(reply.status).toBe(502);
  expect(reply.text).toMatch(/TRANSFER_CODING/);
  server.close();
});

test('an unshareable answer that breaks off breaks off for its client', async () => {
  origin.answer((_request, response) => {
    response.writeHead(200, { 'cache-control': 'private', 'content-length': '100' });
    response.write('part', () => setTimeout(() => response.destroy(), 20));
  });
  await expect(edge.get('/a')).rejects.toThrow();
});

test('a kept connection that the origin closed is tried once more, for methods that may be sent twice', async () => {
  let posts = 0;
  const server = await rawOrigin((socket, turn) => {
    // The first request on a connection is answered, the second one finds it closed.
    if (turn === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na');
    else if (turn === 2 || posts++ > 0) socket.destroy();
    else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb');
  });
  expect((await edge.get('/a')).text).toBe('a');
  expect((await edge.get('/b')).text).toBe('b');
  expect((await edge.get('/c', { method: 'POST', body: 'x' })).status).toBe(502);
  server.close();
});

test.each([
  ['small, by length', 'max-age=60', { 'content-length': '1000' }],
  ['chunked', 'max-age=60', {}],
  ['for one client alone', 'private', { 'content-length': '1000' }],
])(
  'silent in the middle of its body, %s: broken off in time, and not stored',
  async (_name, control, headers) => {
    origin.answer((_request, response) => {
      response.writeHead(200, { 'cache-control': control, ...headers }).write('part');
    });
    const replies = await Promise.allSettled([edge.get('/a'), edge.get('/a')]);
    expect(replies.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(0);
    expect(await edge.metric('requests_in_flight')).toBe(0);
  },
);

describe('an error of the origin’s own:', () => {
  const answer = async (headers: Record<string, string>, status: number) => {
    origin.answer((_request, response) =>
      response.writeHead(status, headers).end(`no ${origin.requests.length}`),
    );
    await edge.get('/a');
    return await edge.get('/a');
  };

  test.each([404, 410, 500, 503])('%d is for all, for as long as it says', async (status) => {
    const again = await answer({ 'cache-control': 'max-age=10' }, status);
    expect(again).toMatchObject({ status, text: 'no 1' });
    expect(again.headers['cache-status']).toMatch(/^zz-1; hit; ttl=\d+$/);
    edge.clock.advance(11_000);
    expect((await edge.get('/a')).text).toBe('no 2');
  });

  test('… or as long as a rule says, for the statuses that it names', async () => {
    const ttl = { seconds: 5, statuses: [404], force: false };
    const rules = [{ match: {}, bypass: false, ttl, query: KEEP }];
    await edge.publish([domainOf(origin.url, { rules })]);
    expect((await answer({}, 404)).text).toBe('no 1');
    edge.clock.advance(6_000);
    expect((await answer({}, 503)).text).toBe('no 3');
  });

  test.each([404, 500])('%d that says nothing is asked for each time', async (status) => {
    expect(await answer({}, status)).toMatchObject({ status, text: 'no 2' });
  });
});

test('an origin that does not speak HTTP: 502', async () => {
  const server = await rawOrigin((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
  const reply = await edge.get('/a');
  expect(reply.status).toBe(502);
  expect(reply.text).toMatch(/HTTPParserError/);
  server.close();
});

test('stale and the origin gone: 502, not the stale answer', async () => {
  origin.answer((_request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=1, must-revalidate', etag: '"a"' }).end('x'),
  );
  await edge.get('/a');
  edge.clock.advance(2_000);
  origin.answer((_request, response) => response.destroy());
  const reply = await edge.get('/a');
  expect(reply.status).toBe(502);
  expect(reply.headers['cache-status']).toMatch(/^zz-1; fwd=stale; detail=/);
});

test('a client that leaves ends the fetch that was its own', async () => {
  let closed = false;
  origin.answer((_request, response) => {
    response.on('close', () => {
      closed = true;
    });
    response.writeHead(200, { 'cache-control': 'private' }).write('part');
  });
  const client = request({
    host: '127.0.0.1',
    port: edge.port,
    path: '/a',
    headers: { host: 'video.example.com' },
  });
  client.on('error', () => {});
  client.on('response', () => client.destroy());
  client.end();
  await eventually(() => expect(closed).toBe(true));
});
