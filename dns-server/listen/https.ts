/** DNS over HTTPS (RFC 8484): one query in one request, over HTTP/2 or 1.1. */
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { listen } from '../../lib/listen.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import { parseIp } from '../geo/ip-address.ts';
import { freshnessOf } from '../wire/freshness.ts';
import type { Certificate } from './certificate.ts';
import type { Handler } from './handler.ts';
import { OpenConnections } from './open-connections.ts';
import { HANDSHAKES, TCP_LIMITS, type TcpListener, type TcpOptions } from './tcp.ts';

export const DOH_PATH = '/dns-query';
const MEDIA_TYPE = 'application/dns-message';
/** A query is a name and some options: more than this is none. */
const MAX_QUERY_BYTES = 4_096;
/** Queries at one time on one connection. */
const MAX_STREAMS = 100;

/** Answered with this status, text and fields. */
class Refusal extends Error {
  readonly status: number;
  readonly fields: Record<string, string>;

  constructor(status: number, message: string, fields: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.fields = fields;
  }
}

export async function listenHttps(
  address: ListenAddress,
  handle: Handler,
  log: Log,
  certificate: Certificate,
  { limits = TCP_LIMITS, ...events }: TcpOptions = {},
): Promise<TcpListener> {
  /** A request of HTTP/2 does not tell which socket it came on, but whose. */
  const sockets = new Map<string, Socket>();
  const server = createSecureServer(
    {
      ...certificate.current(),
      allowHTTP1: true,
      handshakeTimeout: limits.idleMs,
      settings: { maxConcurrentStreams: MAX_STREAMS },
    },
    (request, response) => {
      answer(request, response, handle).catch((error: unknown) => refuse(response, error, log));
    },
  );
  const open = new OpenConnections(limits, events);
  server.on('request', ({ socket }) => {
    const own = sockets.get(peerOf(socket));
    if (own) open.used(own);
  });
  server.maxConnections = limits.connections + HANDSHAKES;
  server.on('drop', () => events.onRefused?.());
  server.on('secureConnection', (socket) => {
    const source = parseIp(socket.remoteAddress ?? '');
    if (source === undefined || !open.admit(socket, source)) socket.destroy();
    else {
      const peer = peerOf(socket);
      sockets.set(peer, socket);
      socket.on('close', () => sockets.delete(peer));
    }
  });
  // Not closed but destroyed: a request whose body never ends would keep it open for good.
  server.on('session', (session) => session.setTimeout(limits.idleMs, () => session.destroy()));
  server.setTimeout(limits.idleMs);
  const unfollow = certificate.follow((pair) => server.setSecureContext(pair));
  const bound = await listen(server, address);
  server.on('error', (error) => log.error({ err: error }, 'HTTPS listener'));
  return {
    bound,
    stop: () =>
      new Promise((resolve) => {
        unfollow();
        server.close(() => resolve());
        open.destroyAll();
      }),
  };
}

function peerOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`;
}

async function answer(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  handle: Handler,
): Promise<void> {
  const source = parseIp(request.socket.remoteAddress ?? '');
  if (source === undefined) throw new Refusal(400, 'no address to answer to');
  const query = await queryOf(request);
  const bytes = handle(query, source, 'https');
  if (bytes === undefined) throw new Refusal(400, 'not a DNS query');
  response.writeHead(200, {
    'content-type': MEDIA_TYPE,
    'content-length': bytes.length,
    'cache-control': `max-age=${freshnessOf(bytes)}`,
  });
  response.end(request.method === 'HEAD' ? '' : bytes);
}

/** RFC 8484 4.1: the `dns` parameter of a GET, or the body of a POST. */
async function queryOf(request: Http2ServerRequest): Promise<Buffer> {
  const url = targetOf(request);
  if (url?.pathname !== DOH_PATH) throw new Refusal(404, `queries go to ${DOH_PATH}`);
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return parameterOf(url);
    case 'POST':
      if (mediaTypeOf(request) !== MEDIA_TYPE) throw new Refusal(415, `a body of type ${MEDIA_TYPE}`);
      return bodyOf(request);
    default:
      // RFC 9110 15.5.6: it says what there is instead.
      throw new Refusal(405, 'GET or POST', { allow: 'GET, HEAD, POST' });
  }
}

/** A path as it stands, `//host/…` too, or a whole URL (RFC 9112 3.2); nothing for what is neither. */
function targetOf({ url }: Http2ServerRequest): URL | null {
  const origin = 'https://dns-server';
  return URL.parse(url.startsWith('/') ? `${origin}${url}` : url, origin);
}

/** In any case, and whatever parameters follow (RFC 9110 8.3.1). */
function mediaTypeOf({ headers }: Http2ServerRequest): string | undefined {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase();
}

function parameterOf(url: URL): Buffer {
  const text = url.searchParams.get('dns') ?? '';
  if (!/^[-_A-Za-z0-9]+$/.test(text)) throw new Refusal(400, 'the parameter dns: a query in base64url');
  if (text.length > (MAX_QUERY_BYTES * 4) / 3) throw tooLong();
  return Buffer.from(text, 'base64url');
}

async function bodyOf(request: Http2ServerRequest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MAX_QUERY_BYTES) break;
      chunks.push(chunk);
    }
  } catch {
    // Nobody is there to read it: a client that goes away is no failure of ours.
    throw new Refusal(400, 'a body that was cut off');
  }
  if (length > MAX_QUERY_BYTES) throw tooLong();
  return Buffer.concat(chunks);
}

function tooLong(): Refusal {
  return new Refusal(413, `at most ${MAX_QUERY_BYTES} bytes`);
}

function refuse(response: Http2ServerResponse, error: unknown, log: Log): void {
  const { status, fields } = error instanceof Refusal ? error : { status: 500, fields: {} };
  if (status === 500) log.error({ err: error }, 'a DNS query over HTTPS failed');
  if (response.headersSent) return void response.stream.destroy();
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...fields });
  response.end(`${messageOf(error)}\n`);
}
