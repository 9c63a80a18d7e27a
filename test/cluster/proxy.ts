/** A proxy in front of the API server that does what networks and overloaded servers do. It speaks HTTP to us. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Agent, request } from 'undici';
import type { KubernetesApi } from '../../operator/kubernetes/api.ts';
import { kubernetesApi } from '../../operator/kubernetes/api.ts';
import { type Credentials, loadCredentials } from '../../operator/kubernetes/credentials.ts';

/** Answers in place of the API server; nothing lets the request through. */
export type Fault = (url: URL) => { status: number; body: unknown } | undefined;

export interface FaultyProxy {
  /** Through the proxy. */
  api: KubernetesApi;
  url: string;
  /** `GET /path?query`, in the order of arrival. */
  seen: string[];
  fault: Fault;
  /** Requests that never get an answer. */
  holds: (url: URL) => boolean;
  /** Lists wait this long. */
  slowListMs: number;
  /** Cuts all connections in the middle of whatever they do. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startProxy(kubeconfig: string): Promise<FaultyProxy> {
  const { credentials } = await loadCredentials(kubeconfig);
  const { tls } = await credentials();
  const upstream = new Agent({ connect: { ...tls, timeout: 5_000 }, bodyTimeout: 0 });
  const server = createServer((incoming, response) => {
    // The API server, or whoever asked, is gone: so is this connection.
    pass(proxy, credentials, upstream, incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const api = kubernetesApi(async () => ({
    server: `http://127.0.0.1:${address.port}`,
    headers: {},
    tls: {},
  }));
  const proxy: FaultyProxy = {
    api,
    seen: [],
    url: `http://127.0.0.1:${address.port}`,
    fault: () => undefined,
    holds: () => false,
    slowListMs: 0,
    cut: () => server.closeAllConnections(),
    async stop() {
      await api.close();
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
      await upstream.destroy();
    },
  };
  return proxy;
}

async function pass(
  proxy: FaultyProxy,
  credentials: Credentials,
  upstream: Agent,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { server, headers } = await credentials();
  const url = new URL(incoming.url ?? '/', server);
  const method = incoming.method ?? 'GET';
  proxy.seen.push(`${method} ${url.pathname}${url.search}`);
  const isWatch = url.searchParams.has('watch');
  if (method === 'GET' && !isWatch) await pause(proxy.slowListMs);
  if (proxy.holds(url)) return;
  const fault = proxy.fault(url);
  if (fault) {
    response.writeHead(fault.status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(fault.body)}\n`);
    return;
  }
  const type = incoming.headers['content-type'];
  const body = await buffer(incoming);
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const answer = await request(url, {
    method: method as 'GET',
    dispatcher: upstream,
    headers: { ...headers, ...(type && { 'content-type': type }) },
    body: body.length > 0 ? body : null,
    signal: gone.signal,
  });
  response.writeHead(answer.statusCode, { 'content-type': 'application/json' });
  response.flushHeaders();
  for await (const chunk of answer.body) response.write(chunk);
  response.end();
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
