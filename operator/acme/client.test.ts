/** An ACME server that answers oddly: each call ends, in time, with an error that says what came. */
import { createServer, type ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { listen } from '../../lib/listen.ts';
import { AcmeClient, type AcmeProblem } from './client.ts';
import { makeKey } from './keys.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

type Answer = (response: ServerResponse, path: string) => void;

/** With a directory that is in order, but for what `answer` says to the rest. */
async function clientOf(answer: Answer, changes: Record<string, string> = {}) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const base = `http://${request.headers.host}`;
    if (path !== '/directory' || changes.directory !== undefined) return answer(response, path);
    const urls = { newNonce: `${base}/nonce`, newAccount: `${base}/account`, newOrder: `${base}/order` };
    return response.end(JSON.stringify({ ...urls, ...changes }));
  });
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  const client = new AcmeClient({
    server: `http://127.0.0.1:${port}/directory`,
    caBundle: undefined,
    key: { pem: await makeKey('ECDSA'), url: undefined },
    now: () => Date.now(),
    exchangeWithinMs: 500,
  });
  stops.push(
    () => server.close(),
    () => server.closeAllConnections(),
    () => client.close(),
  );
  return { client, asked };
}

const account = (answer: Answer, changes?: Record<string, string>) =>
  clientOf(answer, changes).then(({ client }) => client.account(undefined));
const withNonce = (response: ServerResponse) => response.setHeader('replay-nonce', 'bm9uY2U');

test.each<[string, Answer, RegExp]>([
  ['gives no nonce', (response) => response.end(), /gives no nonce/],
  ['redirects', (response) => response.writeHead(302, { location: '/elsewhere' }).end(), /gives no nonce/],
  ['says nothing of where the account is', (response) => withNonce(response).end('{}'), /no URL/],
  [
    'sends more than anybody reads',
    (response, path) =>
      path === '/nonce' ? withNonce(response).end() : response.end(Buffer.alloc(2 ** 21, 'x')),
    /more than 1048576 bytes/,
  ],
  [
    'sends byte by byte, without an end',
    (response, path) => {
      if (path === '/nonce') return withNonce(response).end();
      const timer = setInterval(() => response.write(' '), 20);
      return response.once('close', () => clearInterval(timer));
    },
    /timeout/,
  ],
  [
    'ends in the middle',
    (response, path) => {
      if (path === '/nonce') return withNonce(response).end();
      response.writeHead(200, { 'content-length': '100' });
      return response.write('{', () => response.destroy());
    },
    /other side closed|terminated/,
  ],
  [
    'says in HTML that it is out of order',
    (response, path) =>
      path === '/nonce' ? withNonce(response).end() : response.writeHead(503).end('<h1>Sorry</h1>'),
    /status 503/,
  ],
])('a server that %s', async (_what, answer, message) => {
  await expect(account(answer)).rejects.toThrow(message);
});

test('a directory that is none says what is missing', async () => {
  await expect(account((response) => response.end('[]'), { directory: 'own' })).rejects.toThrow(
    /the server's directory is none/,
  );
  await expect(account((response) => response.end('hello'), { directory: 'own' })).rejects.toThrow(
    /the server's directory is none/,
  );
});

test('one that takes no nonce is asked eight times, and no more', async () => {
  const { client, asked } = await clientOf((response, path) => {
    withNonce(response);
    const problem = { type: 'urn:ietf:params:acme:error:badNonce', detail: 'used' };
    if (path === '/nonce') response.end();
    else response.writeHead(400).end(JSON.stringify(problem));
  });
  const error = await client.account(undefined).catch((fault: AcmeProblem) => fault);
  expect(error).toMatchObject({ type: 'badNonce', status: 400 });
  expect(asked.filter((path) => path === '/account')).toHaveLength(8);
});
