/** Requests over a real socket: who we are is asked anew each time, and refusals can be told apart. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiError, hasStatus, type KubernetesApi, kubernetesApi } from './api.ts';

let server: Server;
let api: KubernetesApi;
let token: string;
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[];
let answer: { status: number; body: string };

beforeEach(async () => {
  token = 'one';
  seen = [];
  answer = { status: 200, body: '{"ok":true}' };
  server = createServer((incoming, response) => {
    void text(incoming).then((body) => {
      const { method = '', url = '', headers } = incoming;
      seen.push({ method, url, headers, body });
      response.writeHead(answer.status).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  api = kubernetesApi(async () => ({
    server: `http://127.0.0.1:${port}/base/`,
    headers: { authorization: `Bearer ${token}` },
    tls: {},
  }));
});
afterEach(async () => {
  await api.close();
  await new Promise((resolve) => void server.close(resolve));
});

test('a token that rotates is used from the next request on', async () => {
  await api.get('/api', { limit: 500 });
  token = 'two';
  await api.get('/api');
  expect(seen.map(({ url, headers }) => [url, headers.authorization])).toEqual([
    ['/base/api?limit=500', 'Bearer one'],
    ['/base/api', 'Bearer two'],
  ]);
});

test('apply takes over what others own, and says who we are', async () => {
  await api.apply('/x/status', 'weir', { a: 1 });
  expect(seen).toMatchObject([
    {
      method: 'PATCH',
      url: '/base/x/status?fieldManager=weir&force=true',
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: '{"a":1}',
    },
  ]);
});

test('removes one very object', async () => {
  await api.remove('/x', 'uid-1');
  expect(seen).toMatchObject([{ method: 'DELETE', body: expect.stringContaining('{"uid":"uid-1"}') }]);
});

test.each([
  [
    'of the API server',
    '{"kind":"Status","reason":"Conflict","message":"it changed"}',
    'Conflict',
    'it changed',
  ],
  ['of a proxy in between', '<h1>Bad Gateway</h1>', '', '<h1>Bad Gateway</h1>'],
])('a refusal %s has its status, reason and words', async (_whose, body, reason, words) => {
  answer = { status: 409, body };
  const error = await api.create('/x', {}).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 409, reason, message: `POST /x: 409 ${words}` });
  expect([hasStatus(error, 404, 409), hasStatus(error, 410), hasStatus(new Error('409'), 409)]).toEqual([
    true,
    false,
    false,
  ]);
});

test('a watch yields each line until the server ends it', async () => {
  answer = { status: 200, body: '{"type":"ADDED"}\n{"type":"DELETED"}\n' };
  const events: unknown[] = [];
  const watch = api.watch('/x', { resourceVersion: '7' }, new AbortController().signal);
  for await (const event of watch) events.push(event);
  expect(events).toEqual([{ type: 'ADDED' }, { type: 'DELETED' }]);
  expect(seen[0]?.url).toBe('/base/x?resourceVersion=7&watch=true');
});
