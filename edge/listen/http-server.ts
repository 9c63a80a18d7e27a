/** The serving sockets: node:http, its limits, and the way from its request to our pipeline and back. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Log } from '../../lib/log.ts';
import { type Answer, textAnswer } from '../answer/answer.ts';
import type { ReadyHits } from '../answer/ready-hits.ts';
import { Blocks } from '../cache/blocks.ts';
import type { ClientRequest } from '../exchange.ts';
import { toRaw } from '../headers.ts';
import { type AdmitConnection, plainAddress } from '../limits/connections.ts';
import type { LimitName, Limits, OnLimit } from '../limits/limits.ts';
import type { RateWatch, Transfer } from '../limits/rate-watch.ts';
import type { EdgeMetrics } from '../metrics.ts';
import type { Observer } from '../observer.ts';
import type { Pipeline } from '../pipeline.ts';
import { installFastPath } from './fast-path.ts';
import type { ServingServer } from './listeners.ts';
import { send } from './send.ts';
import type { SendFile } from './send-file.ts';

export interface HttpServerParts {
  pipeline: Pipeline;
  readyHits: ReadyHits;
  sendFile: SendFile | undefined;
  limits: Limits;
  /** Of all listeners together. */
  admit: AdmitConnection;
  rateWatch: RateWatch;
  onLimit: OnLimit;
  observer: Observer;
  metrics: EdgeMetrics;
  log: Log;
}

export function createHttpServer(parts: HttpServerParts): ServingServer {
  const { pipeline, readyHits, sendFile, limits, admit, rateWatch, onLimit, observer, metrics, log } = parts;
  const blocks = new Blocks();
  /** The answers of each connection that were not out when the last one began. */
  const answering = new WeakMap<Duplex, ServerResponse[]>();
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      // A client must be done with its head, and with the whole request, within these.
      headersTimeout: limits.headerMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(5_000, Math.ceil(limits.headerMs / 3)),
      // Ours says more, and answers HTTP/1.0 as well.
      requireHostHeader: false,
      // Faults in framing are refused, whatever a peer may have been lenient about (RFC 9112 11.2).
      insecureHTTPParser: false,
      noDelay: true,
    },
    (request, response) => {
      metrics.inFlight.inc();
      // Until the last byte has left, which is later than its having been written.
      const transfer = rateWatch.watch(request.socket, () => isAwaited(request));
      const others = answering.get(request.socket) ?? [];
      answering.set(request.socket, [
        ...others.filter(({ writableFinished }) => !writableFinished),
        response,
      ]);
      response.once('close', () => transfer.end());
      serve(request, response, transfer)
        .catch((error: unknown) => {
          log.error({ err: error, url: request.url, host: request.headers.host }, 'request failed');
          response.destroy();
        })
        .finally(() => metrics.inFlight.dec());
    },
  );
  // Node would drop the rest in silence; ours are counted, and refused.
  server.maxHeadersCount = 0;
  // A connection on which nothing moves for this long, either way.
  server.timeout = 120_000;
  server.on('connect', (_request, socket) => {
    socket.end(
      'HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 27\r\n\r\nCONNECT is not served here\n',
    );
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
    const { status, limit } = CLIENT_ERRORS[error.code ?? ''] ?? { status: '400 Bad Request' };
    if (limit !== undefined) onLimit(limit);
    const refuse = () => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    // Behind the answer that is on its way: in the midst of it, it would be read as a part of its body.
    const before = answering.get(socket)?.findLast((one) => one.headersSent && !one.writableFinished);
    return before === undefined ? refuse() : before.once('close', refuse);
  });

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    transfer: Transfer,
  ): Promise<void> {
    const begin = performance.now();
    // Asked before: a socket that is closed does not know any more, and a request may have lost its own.
    const client = observer.ended && plainAddress(request.socket.remoteAddress ?? '');
    const answer = tooMuch(request, limits, onLimit) ?? (await answerOf(request, response));
    if (answer === undefined) return;
    const { domain, result, status } = answer;
    const answered = { domain, result, status, ms: performance.now() - begin };
    observer.answered(answered);
    let sent = 0;
    const onBytes = (bytes: number) => {
      sent += bytes;
      observer.sent(domain, bytes);
      if (answer.body.kind === 'stream') observer.fetched(domain, bytes);
    };
    await send(response, answer, {
      onBytes,
      sendFile,
      blocks,
      onSent: (bytes) => transfer.sentAside(bytes),
    }).catch((error: unknown) => log.warn({ err: error, domain }, 'an answer broke off'));
    observer.ended?.({ ...answered, bytes: sent, client, ...writtenDown(request) });
  }

  async function answerOf(request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> {
    try {
      return await pipeline(clientRequest(request, response));
    } catch (error) {
      if (response.destroyed) return undefined;
      log.error({ err: error, url: request.url, host: request.headers.host }, 'request failed');
      return textAnswer(500, 'an error inside the edge; its log says more', { result: 'error' });
    }
  }

  const fastPath = installFastPath(server, {
    ready: readyHits,
    sendFile,
    limits,
    admit,
    rateWatch,
    onHit(domain, bytes, plain, socket) {
      const status = plain.range === undefined ? 200 : 206;
      const answered = { domain, result: 'hit', status, ms: undefined } as const;
      observer.answered(answered);
      observer.sent(domain, bytes);
      if (observer.ended === undefined) return;
      const { method, host, url, text } = plain;
      const field = (name: string) => new RegExp(`\\r\\n${name}: (.*)`, 'i').exec(text)?.[1];
      const client = plainAddress(socket.remoteAddress ?? '');
      observer.ended({ ...answered, bytes, method, host, url, client, field });
    },
  });
  return { server, fastPath };
}

const CLIENT_ERRORS: Record<string, { status: string; limit?: LimitName }> = {
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', limit: 'headerSize' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', limit: 'requestTime' },
};

/** The limits that can be told once the head is whole. */
function tooMuch(
  { url = '', rawHeaders }: IncomingMessage,
  { uriLength, headerCount }: Limits,
  onLimit: OnLimit,
): Answer | undefined {
  const close = { headers: [['connection', 'close']] } as const;
  if (url.length > uriLength) {
    onLimit('uriLength');
    return textAnswer(414, `the target is longer than ${uriLength} characters`, close);
  }
  if (rawHeaders.length / 2 > headerCount) {
    onLimit('headerCount');
    return textAnswer(431, `more than ${headerCount} header fields`, close);
  }
  return undefined;
}

function writtenDown({ method = '', url = '', headers }: IncomingMessage) {
  const field = (name: 'referer' | 'user-agent') => headers[name];
  return { method, host: headers.host ?? '', url, field };
}

/** Bytes of its body are missing, and nothing of ours holds them up. */
function isAwaited(request: IncomingMessage): boolean {
  return !request.complete && request.readableFlowing !== false && request.readableLength === 0;
}

function clientRequest(request: IncomingMessage, response: ServerResponse): ClientRequest {
  const { headers, rawHeaders } = request;
  const length = headers['content-length'];
  const hasBody = headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
  let gone: AbortController | undefined;
  return {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    headers,
    rawHeaders,
    clientAddress: plainAddress(request.socket.remoteAddress ?? ''),
    body: hasBody ? request : undefined,
    interim(status, fields) {
      // HTTP/1.0 knows none (RFC 9110 15.2). A fetch for the cache may outlive the request that began it.
      if (request.httpVersion === '1.0' || response.headersSent || response.destroyed) return;
      response.writeInformation(status, toRaw(fields));
    },
    gone() {
      if (gone === undefined) {
        const controller = new AbortController();
        gone = controller;
        if (response.destroyed) controller.abort();
        else response.once('close', () => controller.abort());
      }
      return gone.signal;
    },
  };
}
