/** The operator's port from outside: who gets in, what the first line is, and who is told of what. */

import { Readable } from 'node:stream';
import { connect } from 'node:tls';
import { type Dispatcher, request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EMPTY_TABLE } from '../../contract/plans/node-table.ts';
import { secretDigest } from '../../contract/stream/agent-secret.ts';
import { HEARTBEAT_MS, streamMessage } from '../../contract/stream/messages.ts';
import { readNdjson } from '../../lib/ndjson.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { type StreamHost, startStreamHost } from '../testing/stream-host.ts';
import { askToJoin, joinAs, TOKEN, testRequest, unknownTo } from '../testing/trust.ts';

let host: StreamHost;
beforeEach(async () => {
  host = await startStreamHost();
  agents = {
    'edge/a': await joinAs(host, 'edge', 'a'),
    'edge/b': await joinAs(host, 'edge', 'b'),
    'dns-server/a': await joinAs(host, 'dns-server', 'a'),
  };
  stranger = unknownTo(host);
});
afterEach(async () => {
  await Promise.all([...Object.values(agents), stranger].map((agent) => agent.destroy()));
  await host.stop();
});

const QUERY = { role: 'edge', node: 'a', epoch: 1, seq: 2, seen: 1, contract: '7,1' };
const bearer = (token = TOKEN) => ({ authorization: `Bearer ${token}` });

/** Connections of edge a, edge b and dns-server a; and of somebody without a certificate. */
let agents: Record<'edge/a' | 'edge/b' | 'dns-server/a', Dispatcher>;
let stranger: Dispatcher;

async function get(
  path: string,
  query: Record<string, unknown> = {},
  { headers = {}, dispatcher = stranger }: { headers?: Record<string, string>; dispatcher?: Dispatcher } = {},
) {
  const { statusCode, body } = await request(`${host.url}${path}`, { query, headers, dispatcher });
  return { status: statusCode, text: await body.text() };
}

const getAs = (dispatcher: Dispatcher, query: Record<string, unknown>) =>
  get('/v1/stream', query, { dispatcher });

async function open(query: typeof QUERY = QUERY) {
  const ending = new AbortController();
  const { statusCode, body } = await request(`${host.url}/v1/stream`, {
    query,
    dispatcher: agents[`${query.role}/${query.node}` as keyof typeof agents],
    signal: ending.signal,
  });
  expect(statusCode).toBe(200);
  const lines = readNdjson(body);
  return { next: async () => (await lines.next()).value, end: () => ending.abort() };
}

async function post(body: string, dispatcher: Dispatcher = agents['edge/a']) {
  const response = await request(`${host.url}/v1/reports`, { method: 'POST', dispatcher, body });
  return { status: response.statusCode, text: await response.body.text() };
}

describe('a stream is refused', () => {
  test('without a certificate, whatever token comes with it', async () => {
    for (const headers of [{}, bearer()]) {
      expect((await get('/v1/stream', QUERY, { headers })).status).toBe(401);
    }
    expect(host.seen).toEqual([]);
  });

  test('when no version of the contract is spoken by both', async () => {
    expect(await getAs(agents['edge/a'], { ...QUERY, contract: '3,4' })).toEqual({
      status: 426,
      text: 'contract versions here: 2, 1; the agent speaks 3, 4\n',
    });
  });

  test('to a node that there is no EdgeNode for', async () => {
    host.incarnations.set('zz', 'first');
    const zz = await joinAs(host, 'edge', 'zz');
    host.incarnations.delete('zz');
    expect(await getAs(zz, { ...QUERY, node: 'zz' })).toEqual({
      status: 404,
      text: 'no EdgeNode is called zz\n',
    });
  });

  test.each([{ role: 'origin' }, { epoch: -1 }, { seq: 'x' }, { node: '' }])(
    'with %j in its query',
    async (part) => {
      const { status, text } = await getAs(agents['edge/a'], { ...QUERY, ...part });
      expect(status).toBe(400);
      expect(text).toContain(Object.keys(part)[0]);
    },
  );
});

describe('a stream', () => {
  test('begins with the contract that was chosen, and a heartbeat keeps it', async () => {
    const { next, end } = await open();
    expect(await next()).toEqual({ type: 'hello', contract: 1, epoch: 3 });
    host.clock.advance(HEARTBEAT_MS);
    expect(await next()).toEqual({ type: 'heartbeat' });
    expect(host.seen).toEqual(['connect a 1.2']);
    end();
    await eventually(() => expect(host.seen).toEqual(['connect a 1.2', 'disconnect a']));
  });

  test('of one agent takes the place of its first, whose end is no disconnect', async () => {
    const [first, other] = [await open(), await open({ ...QUERY, node: 'b' })];
    const second = await open();
    await first.next();
    await expect(first.next()).resolves.toBeUndefined();
    for (const { next } of [second, other]) await next();
    host.clock.advance(HEARTBEAT_MS);
    expect(await second.next()).toEqual({ type: 'heartbeat' });
    expect(host.seen).toEqual(['connect a 1.2', 'connect b 1.2', 'connect a 1.2']);
    second.end();
    await eventually(() => expect(host.seen.at(-1)).toBe('disconnect a'));
    other.end();
  });

  test('hears what is for its role and node alone', async () => {
    const [edge, dns] = [await open(), await open({ ...QUERY, role: 'dns-server' })];
    for (const { next } of [edge, dns]) await next();
    const command = { type: 'revalidateAll' as const, uid: 'x' };
    host.switchboard.command({ role: 'edge', node: 'b' }, command);
    const table = { version: { epoch: 3, seq: 1 }, rows: [] };
    expect(await dns.next()).toEqual({ type: 'table', table: EMPTY_TABLE });
    host.switchboard.table(table);
    host.switchboard.command({ role: 'edge', node: 'a' }, command);
    expect([await edge.next(), await dns.next()]).toEqual([
      { type: 'command', command },
      { type: 'table', table },
    ]);
    edge.end();
    dns.end();
  });

  test('that is never read ends before what waits for it fills the memory', async () => {
    const query = new URLSearchParams({ ...QUERY, role: 'dns-server', epoch: '1', seq: '2', seen: '1' });
    const { key, csr } = await testRequest();
    const { issued } = await askToJoin(host, { role: 'dns-server', node: 'a' }, csr);
    const socket = connect({
      port: host.port,
      host: '127.0.0.1',
      ca: host.ca,
      key,
      cert: issued?.certificate,
    });
    socket.pause();
    socket.write(`GET /v1/stream?${query.toString()} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await eventually(() => expect(host.seen).toEqual(['connect a 1.2']));
    const row = {
      node: 'x'.repeat(2 ** 20),
      acked: { epoch: 1, seq: 1 },
      admitted: true,
      reason: 'Admitted',
    };
    const table = { version: { epoch: 1, seq: 1 }, rows: [row] };
    for (let megabytes = 0; megabytes < 100; megabytes++) host.switchboard.table(table);
    await eventually(() => expect(host.seen.at(-1)).toBe('disconnect a'));
    socket.destroy();
  });

  test('ends when the node’s EdgeNode is gone', async () => {
    const { next } = await open();
    await next();
    host.switchboard.end({ role: 'edge', node: 'a' });
    expect(await next()).toBeUndefined();
  });
});

describe('reports', () => {
  test('are taken in order, with or without a stream', async () => {
    const done = { type: 'done', uid: 'x', objects: 3, durationMs: 1 };
    const ack = { type: 'ack', revision: { epoch: 1, seq: 3 } };
    const body = JSON.stringify({ role: 'edge', node: 'a', reports: [done, ack] });
    expect(await post(body)).toEqual({ status: 204, text: '' });
    expect(host.reports).toEqual([done, ack]);
  });

  test.each(['{', '{}', '{"role":"edge","node":"a","reports":[{"type":"nonsense"}]}'])(
    '%s are refused',
    async (body) => {
      expect((await post(body)).status).toBe(400);
      expect(host.reports).toEqual([]);
    },
  );

  test('need a certificate, and a length', async () => {
    expect((await post('{}', stranger)).status).toBe(401);
    const chunked = await request(`${host.url}/v1/reports`, {
      method: 'POST',
      dispatcher: agents['edge/a'],
      body: Readable.from([Buffer.from('{}')]),
    });
    await chunked.body.dump();
    expect(chunked.statusCode).toBe(413);
  });
});

test('views need the token and say when there is nothing yet; the admin paths need none', async () => {
  const headers = bearer();
  for (const wrong of [{}, bearer('x'), bearer(`${TOKEN}x`), { authorization: TOKEN }]) {
    expect((await get('/v1/resources', {}, { headers: wrong })).status).toBe(401);
  }
  expect(await get('/v1/resources', {}, { headers })).toEqual({ status: 200, text: '{"resources":[]}' });
  expect(await get('/v1/routing', {}, { headers })).toEqual({
    status: 503,
    text: 'no plan has been published yet\n',
  });
  expect((await get('/v1/nothing', {}, { headers })).status).toBe(404);
  expect((await get('/healthz')).status).toBe(200);
  expect(await get('/readyz')).toEqual({ status: 503, text: 'this is a test\n' });
});

test('in the clear there are the admin paths, and for the rest the advice to use TLS', async () => {
  const inTheClear = async (path: string) => {
    const { statusCode, body } = await request(`http://127.0.0.1:${host.port}${path}`);
    return { status: statusCode, text: await body.text() };
  };
  expect(await inTheClear('/readyz')).toEqual({ status: 503, text: 'this is a test\n' });
  expect((await inTheClear('/metrics')).text).toContain('weir_operator_refusals_total');
  for (const path of ['/v1/stream', '/v1/ca', '/v1/join', '/']) {
    expect(await inTheClear(path)).toEqual({ status: 426, text: 'this port speaks TLS: use https://\n' });
  }
});

describe('secrets', () => {
  const secret = (value: string) => ({ name: 'cookie-secret', digest: secretDigest(value), value });
  const dns = { ...QUERY, role: 'dns-server', contract: '2' };
  const untilSecrets = async ({ next }: { next: () => Promise<unknown> }) => {
    for (;;) {
      const message = streamMessage.parse(await next());
      if (message.type === 'secrets') return message.set;
    }
  };

  test('are sent to dns-servers: those there are to one that comes, and others when they change', async () => {
    host.secrets([secret('one')]);
    const stream = await open(dns);
    expect(await untilSecrets(stream)).toEqual([secret('one')]);
    host.secrets([secret('two')]);
    expect(await untilSecrets(stream)).toEqual([secret('two')]);
    stream.end();
  });

  test.each([
    ['edges', { ...QUERY, contract: '2' }],
    ['those that speak contract 1', { ...dns, contract: '1' }],
  ])('are not sent to %s', async (_, query) => {
    host.secrets([secret('one')]);
    const stream = await open(query);
    expect(await stream.next()).toMatchObject({ type: 'hello' });
    host.secrets([secret('two')]);
    host.clock.advance(HEARTBEAT_MS);
    for (let type = ''; type !== 'heartbeat'; ) {
      ({ type } = streamMessage.parse(await stream.next()));
      expect(type).not.toBe('secrets');
    }
    stream.end();
  });
});
