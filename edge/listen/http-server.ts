/** HTTP/1 on a listening socket: node:http with its limits, behind the fast path; where it is a secure one, HTTP/2 too. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ReadyHits } from '../answer/ready-hits.ts';
import type { ClientRequest } from '../exchange.ts';
import { toRaw } from '../headers.ts';
import { type AdmitConnection, plainAddress } from '../limits/connections.ts';
import type { LimitName, Limits } from '../limits/limits.ts';
import type { RateWatch, Transfer } from '../limits/rate-watch.ts';
import type { Observer } from '../observer.ts';
import type { SecureConnection } from '../tls/secure-connection.ts';
import type { OnSecure, Termination } from '../tls/termination.ts';
import { type AnsweringParts, createAnswering } from './answering.ts';
import { installFastPath } from './fast-path.ts';
import { goneSignal } from './gone.ts';
import { createHttp2Server } from './http2-server.ts';
import type { KernelCopies } from './kernel-copies.ts';
import type { ServingServer } from './listeners.ts';
import type { PlainRequest } from './plain-request.ts';
import type { Outgoing } from './send.ts';

export interface HttpServerParts extends AnsweringParts {
  /** Nothing: all is node:http's and node:http2's. */
  readyHits: ReadyHits | undefined;
  copies: KernelCopies | undefined;
  /** Of all listeners together. */
  admit: AdmitConnection;
  rateWatch: RateWatch;
  termination: Termination;
}

export function createHttpServer(
  parts: HttpServerParts,
  { secure: isSecure }: { secure: boolean },
): ServingServer {
  const { readyHits, sendFile, copies, limits, admit, rateWatch, onLimit, observer, termination } = parts;
  const answering = createAnswering(parts);
  /** Those that node:http has. */
  const secured = new WeakMap<Socket, SecureConnection>();
  /** The answers of each connection that were not out when the last one began. */
  const underWay = new WeakMap<Duplex, ServerResponse[]>();
  const server = createServer(serverOptions(limits), (request, response) => {
    const refusal = whyRefused(request);
    if (refusal !== undefined)
      return void response.writeHead(refusal, { connection: 'close', 'content-length': 0 }).end();
    const { socket } = request;
    const secure = secured.get(socket);
    // Until the last byte has left, which is later than its having been written.
    const isTheirs = () => socket.writableLength > 0 || isAwaited(request);
    const transfer = rateWatch.watch(secure?.raw ?? socket, isTheirs);
    const others = underWay.get(socket) ?? [];
    underWay.set(socket, [...others.filter(({ writableFinished }) => !writableFinished), response]);
    response.once('close', () => transfer.end());
    const protocol = request.httpVersion === '1.0' ? 'HTTP/1.0' : 'HTTP/1.1';
    void answering(clientRequest(request, response, secure), outgoingTo(response, transfer), protocol);
  });
  // Node would drop the rest in silence; ours are counted, and refused.
  server.maxHeadersCount = 0;
  // A connection on which nothing moves for this long, either way.
  server.timeout = 120_000;
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    // Behind another answer node:http would put it in between the head and the body of its own (RFC 9110 10.1.1).
    const goOn = () => {
      if (!response.headersSent) response.writeContinue();
    };
    if (response.socket === null) response.once('socket', goOn);
    else goOn();
    server.emit('request', request, response);
  });
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
    const before = underWay.get(socket)?.findLast((one) => one.headersSent && !one.writableFinished);
    return before === undefined ? refuse() : before.once('close', refuse);
  });

  const onHit = hitObserver(observer);
  const fastPath = installFastPath(server, {
    ready: readyHits,
    answering,
    sendFile,
    copies,
    limits,
    rateWatch,
    onHit,
    onHandOver: (socket, secure) => void (secure && secured.set(socket, secure)),
  });
  const http2 = createHttp2Server({ ...parts, readyHits: readyHits ?? NOTHING_READY, answering });
  const onSecure: OnSecure = (encrypted, secure) => {
    if (encrypted.alpnProtocol === 'h2') http2.begin(encrypted, secure);
    else fastPath.begin(encrypted, secure);
  };
  server.on('connection', (socket: Socket) => {
    if (!admit(socket, isSecure ? 'https' : 'http')) return;
    if (isSecure) termination.accept(socket, onSecure);
    else fastPath.begin(socket);
  });
  const others = {
    closeIdle() {
      fastPath.closeIdle();
      http2.closeIdle();
      termination.stop();
    },
    closeAll() {
      fastPath.closeAll();
      termination.closeAll();
    },
  };
  return { server, others };
}

const NOTHING_READY: ReadyHits = () => undefined;

function serverOptions(limits: Limits) {
  return {
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
  };
}

const CLIENT_ERRORS: Record<string, { status: string; limit?: LimitName }> = {
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', limit: 'headerSize' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', limit: 'requestTime' },
};

function hitObserver(observer: Observer): Parameters<typeof installFastPath>[1]['onHit'] {
  return ({ domain, status }, bytes, plain, { socket, secure }) => {
    const answered = { domain, result: 'hit', status, ms: undefined } as const;
    observer.answered(answered);
    observer.sent(domain, bytes);
    observer.ended?.({
      ...answered,
      bytes,
      protocol: 'HTTP/1.1',
      scheme: secure === undefined ? 'http' : 'https',
      method: plain.method,
      host: plain.host,
      url: plain.url,
      client: plainAddress((secure?.raw ?? socket).remoteAddress ?? ''),
      field: (name) => fieldOf(plain, name),
    });
  };
}

const fieldOf = ({ text }: PlainRequest, name: string) =>
  new RegExp(`\\r\\n${name}: (.*)`, 'i').exec(text)?.[1];

/** For its framing, where node:http lets that pass. */
function whyRefused({ httpVersion, headers: { 'transfer-encoding': coding } }: IncomingMessage) {
  if (coding === undefined) return undefined;
  // HTTP/1.0 knows no codings: who reads it by length sees another end of this message (RFC 9112 6.1).
  // Without chunked at the end nobody knows where it ends (RFC 9112 6.3).
  if (httpVersion === '1.0' || !/(?:^|[,\s])chunked$/i.test(coding)) return 400;
  // In any other one the content would stay, and go to the origin without a word of it (RFC 9112 6.1, 7).
  return coding.toLowerCase() === 'chunked' ? undefined : 501;
}

/** Bytes of its body are missing, and nothing of ours holds them up. */
function isAwaited(request: IncomingMessage): boolean {
  return !request.complete && request.readableFlowing !== false && request.readableLength === 0;
}

function outgoingTo(response: ServerResponse, transfer: Transfer): Outgoing {
  return {
    stream: response,
    head(status, headers) {
      response.writeHead(status, toRaw(headers));
      return true;
    },
    // Not by flushHeaders, which writes a head in UTF-8: what came as one byte would leave as two.
    flushHead: () => void response.write('', 'latin1'),
    socket: response.socket ?? undefined,
    onSent: (bytes) => transfer.sentAside(bytes),
  };
}

function clientRequest(
  request: IncomingMessage,
  response: ServerResponse,
  secure: SecureConnection | undefined,
): ClientRequest {
  const { headers, rawHeaders } = request;
  const length = headers['content-length'];
  const hasBody = headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
  return {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    headers,
    rawHeaders,
    clientAddress: plainAddress(request.socket.remoteAddress ?? ''),
    httpVersion: request.httpVersion,
    scheme: secure === undefined ? 'http' : 'https',
    secure,
    body: hasBody ? request : undefined,
    interim(status, fields) {
      // HTTP/1.0 knows none (RFC 9110 15.2). A fetch for the cache may outlive the request that began it.
      if (request.httpVersion === '1.0' || response.headersSent || response.destroyed) return;
      response.writeInformation(status, toRaw(fields));
    },
    gone: goneSignal(response),
  };
}
