/** The serving sockets: node:http, its limits, and the way from its request to our pipeline and back. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Log } from '../../lib/log.ts';
import { textAnswer } from '../answer/answer.ts';
import type { ReadyHits } from '../answer/ready-hits.ts';
import type { ClientRequest } from '../exchange.ts';
import { toRaw } from '../headers.ts';
import type { EdgeMetrics } from '../metrics.ts';
import type { Pipeline } from '../pipeline.ts';
import { installFastPath } from './fast-path.ts';
import type { ServingServer } from './listeners.ts';
import { send } from './send.ts';
import type { SendFile } from './send-file.ts';

export interface HttpServerParts {
  pipeline: Pipeline;
  readyHits: ReadyHits;
  sendFile: SendFile | undefined;
  metrics: EdgeMetrics;
  log: Log;
}

export function createHttpServer({
  pipeline,
  readyHits,
  sendFile,
  metrics,
  log,
}: HttpServerParts): ServingServer {
  const server = createServer(
    {
      maxHeaderSize: 32 * 1_024,
      // A client must be done with its head, and with the whole request, within these.
      headersTimeout: 15_000,
      requestTimeout: 300_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 5_000,
      // Ours says more, and answers HTTP/1.0 as well.
      requireHostHeader: false,
      // Faults in framing are refused, whatever a peer may have been lenient about (RFC 9112 11.2).
      insecureHTTPParser: false,
      noDelay: true,
    },
    (request, response) => {
      metrics.inFlight.inc();
      serve(request, response)
        .catch((error: unknown) => {
          log.error({ err: error, url: request.url, host: request.headers.host }, 'request failed');
          response.destroy();
        })
        .finally(() => metrics.inFlight.dec());
    },
  );
  server.maxHeadersCount = 200;
  // A connection on which nothing moves for this long, either way.
  server.timeout = 120_000;
  server.on('connect', (_request, socket) => {
    socket.end(
      'HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 27\r\n\r\nCONNECT is not served here\n',
    );
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
    const status = CLIENT_ERRORS[error.code ?? ''] ?? '400 Bad Request';
    return socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const begin = performance.now();
    const answer = await pipeline(clientRequest(request, response)).catch((error: unknown) => {
      if (response.destroyed) return undefined;
      log.error({ err: error, url: request.url, host: request.headers.host }, 'request failed');
      return textAnswer(500, 'an error inside the edge; its log says more', { result: 'error' });
    });
    if (answer === undefined) return;
    const { domain, result } = answer;
    metrics.requests.inc({ domain, result });
    metrics.answerSeconds.observe({ domain, result }, (performance.now() - begin) / 1_000);
    const onBytes = (bytes: number) => {
      metrics.clientBytes.inc({ domain }, bytes);
      if (answer.body.kind === 'stream') metrics.originBytes.inc({ domain }, bytes);
    };
    await send(response, answer, { onBytes, sendFile }).catch((error: unknown) =>
      log.warn({ err: error, domain }, 'an answer broke off'),
    );
  }

  const fastPath = installFastPath(server, {
    ready: readyHits,
    sendFile,
    onHit(domain, bytes) {
      metrics.fastHits.inc();
      metrics.requests.inc({ domain, result: 'hit' });
      metrics.clientBytes.inc({ domain }, bytes);
    },
  });
  return { server, fastPath };
}

const CLIENT_ERRORS: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

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
    clientAddress: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
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
