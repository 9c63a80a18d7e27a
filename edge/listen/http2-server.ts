/**
 * HTTP/2 on connections whose handshake chose it: node:http2, its limits, and the way from a stream to our pipeline and
 * back. Plain hits are answered before it hears of them (edge/http2/fast-path.ts).
 */

import type { IncomingHttpHeaders } from 'node:http2';
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { PassThrough } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { ReadyHit, ReadyHits } from '../answer/ready-hits.ts';
import { Blocks } from '../cache/blocks.ts';
import type { ClientRequest } from '../exchange.ts';
import { Http2FastPath } from '../http2/fast-path.ts';
import type { PlainHead } from '../http2/request-blocks.ts';
import { plainAddress } from '../limits/connections.ts';
import { createFloodWatch } from '../limits/flood-watch.ts';
import type { LimitName, Limits, OnLimit } from '../limits/limits.ts';
import type { RateWatch } from '../limits/rate-watch.ts';
import type { Observer } from '../observer.ts';
import type { SecureConnection } from '../tls/secure-connection.ts';
import type { Answering } from './answering.ts';
import { goneSignal } from './gone.ts';
import { interimFields, type RequestHead, requestHead, responseFields } from './http2-request.ts';
import type { OtherConnections } from './listeners.ts';
import type { Outgoing } from './send.ts';

export interface Http2Parts {
  answering: Answering;
  readyHits: ReadyHits;
  limits: Limits;
  rateWatch: RateWatch;
  onLimit: OnLimit;
  observer: Observer;
}

export interface Http2Server extends Pick<OtherConnections, 'closeIdle'> {
  begin(socket: TLSSocket, secure: SecureConnection): void;
}

interface Connection {
  secure: SecureConnection;
  client: string;
  streams: Set<ServerHttp2Stream>;
}

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_FLAG_END_STREAM } = constants;
/** A scrubbing player resets a few streams a second; an attacker thousands (CVE-2023-44487). */
const RESETS = { streamResetBurst: 200, streamResetRate: 20 } as const;
/**
 * MB. Node counts answers that wait to be sent, which are the cache's own bytes and cost nothing here, and refuses streams
 * for them. What does cost is bounded otherwise: heads by their size and number, bodies that come by a window of 64 KB.
 */
const SESSION_MEGABYTES = 1_000;

export function createHttp2Server(parts: Http2Parts): Http2Server {
  const { answering, readyHits, limits, rateWatch, onLimit, observer } = parts;
  const options = sessionOptions(limits);
  const sessions = new Set<ServerHttp2Session>();
  const blocks = new Blocks();

  function begin(socket: TLSSocket, secure: SecureConnection): void {
    const client = plainAddress(secure.raw.remoteAddress ?? '');
    const fastPath = new Http2FastPath(socket, {
      hitFor: (request) => readyHits(request, secure.uid),
      onHit: (hit, request) => onHit(hit, request, client),
      onFlood: () => onLimit('http2Frames'),
      limits,
      blocks,
    });
    const session = performServerHandshake(fastPath.wire, options);
    const connection: Connection = { secure, client, streams: new Set() };
    const isTheirs = () => fastPath.waiting > 0 || [...connection.streams].some(isWaitedFor);
    const transfer = rateWatch.watch(secure.raw, isTheirs);
    socket.once('close', () => transfer.end());
    sessions.add(session);
    watchFloods(session, fastPath, onLimit);
    // What is under way goes on; with nothing under way it is the end.
    session.setTimeout(limits.idleMs);
    session.on('timeout', () => {
      if (performance.now() - fastPath.hitAt < limits.idleMs) session.setTimeout(limits.idleMs);
      else session.close();
    });
    // In the next turn, when all that has come is read: what was reset in the same breath is then known to be.
    let opened: (() => void)[] = [];
    const answerOpened = () => {
      const answers = opened;
      opened = [];
      for (const answer of answers) answer();
    };
    session.on('stream', (stream, headers, flags, raw) => {
      stream.on('error', ignore);
      if (opened.push(() => onStream(connection, stream, headers, flags, raw)) === 1)
        setImmediate(answerOpened);
    });
    session.once('close', () => sessions.delete(session));
  }

  function onStream(
    connection: Connection,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    flags: number,
    raw: readonly string[],
  ): void {
    if (stream.destroyed || stream.closed) return;
    const hasBody = (flags & NGHTTP2_FLAG_END_STREAM) === 0;
    connection.streams.add(stream);
    stream.once('close', () => connection.streams.delete(stream));
    const head = requestHead(headers, raw);
    if (hasBody) awaitBody(stream, head);
    const request = clientRequest(connection, stream, head, hasBody);
    void answering(request, outgoingTo(stream), 'HTTP/2');
  }

  function awaitBody(stream: ServerHttp2Stream, { headers }: RequestHead): void {
    // RFC 9110 10.1.1; node:http does it by itself.
    if (/^100-continue$/i.test(headers.expect ?? '')) stream.additionalHeaders({ ':status': 100 });
    const late = setTimeout(() => {
      onLimit('requestTime');
      stream.close(NGHTTP2_CANCEL);
    }, limits.requestMs);
    const done = () => clearTimeout(late);
    stream.once('end', done).once('close', done);
    // RFC 9113 8.1: an answer that is out before the request is whole ends both.
    stream.once('finish', () => {
      if (!stream.readableEnded) stream.close(NGHTTP2_NO_ERROR);
    });
  }

  function onHit(
    { domain, status }: ReadyHit,
    { method, host, url, fields }: PlainHead,
    client: string,
  ): (bytes: number) => void {
    const answered = { domain, result: 'hit', status, ms: undefined } as const;
    observer.answered(answered);
    return (bytes) => {
      observer.sent(domain, bytes);
      const field = (name: string) => fieldOf(fields, name);
      const asked = { protocol: 'HTTP/2', method, scheme: 'https', host, url, client, field } as const;
      observer.ended?.({ ...answered, ...asked, bytes });
    };
  }

  return {
    begin,
    closeIdle() {
      // GOAWAY; streams that are under way end by themselves (RFC 9113 6.8).
      for (const session of sessions) session.close();
    },
  };
}

function sessionOptions(limits: Limits) {
  return {
    settings: {
      maxConcurrentStreams: limits.streamsPerConnection,
      maxHeaderListSize: limits.headerBytes,
      enablePush: false,
    },
    // Pseudo-header fields, and some more: what is only a little too much gets an answer that says so.
    maxHeaderListPairs: limits.headerCount + 32,
    maxSessionMemory: SESSION_MEGABYTES,
    maxSessionInvalidFrames: 100,
    // A client that keeps to the limit is refused some all the same: Node counts a stream until it has put it away.
    maxSessionRejectedStreams: 1_000,
    // An origin's answer passes as it does in HTTP/1.
    strictSingleValueFields: false,
    ...RESETS,
  };
}

function watchFloods(session: ServerHttp2Session, fastPath: Http2FastPath, onLimit: OnLimit): void {
  const floods = createFloodWatch(() => performance.now());
  const note = () => {
    if (session.destroyed || floods.note()) return;
    onLimit('http2Frames');
    fastPath.cutOff();
  };
  session.on('ping', note).on('remoteSettings', note);
  session.on('error', (error: NodeJS.ErrnoException) => {
    const limit = SESSION_ERRORS[error.code ?? ''];
    if (limit !== undefined) onLimit(limit);
  });
}

const SESSION_ERRORS: Record<string, LimitName> = {
  ERR_HTTP2_TOO_MANY_INVALID_FRAMES: 'http2Frames',
  ERR_HTTP2_ERROR: 'http2Frames',
  ERR_HTTP2_SESSION_ERROR: 'http2Frames',
};

const fieldOf = (fields: readonly string[], name: string) =>
  fields.find((_value, index) => index % 2 === 1 && fields[index - 1] === name);

/** An error of a stream or of its connection is the client's going away; it closes, and that is heard. */
function ignore(): void {}

/** The client has not taken what there is for it, or has not sent what we wait for. */
function isWaitedFor(stream: ServerHttp2Stream): boolean {
  if (stream.writableLength > 0) return true;
  return (
    !stream.readableEnded &&
    stream.readableFlowing !== false &&
    stream.readableLength === 0 &&
    !stream.endAfterHeaders
  );
}

/** The half of the stream that comes: whoever sends it on destroys what it has read, and that must not be the answer. */
function bodyOf(stream: ServerHttp2Stream): PassThrough {
  const body = new PassThrough();
  stream.once('close', () => {
    if (!stream.readableEnded) body.destroy(new Error('the client has gone'));
  });
  return stream.pipe(body);
}

function outgoingTo(stream: ServerHttp2Stream): Outgoing {
  return {
    stream,
    head(status, headers, isAll) {
      stream.respond(responseFields(status, headers), { endStream: isAll });
      // HEAD, 204, 205, 304: Node has ended it.
      return !stream.writableEnded;
    },
    flushHead: () => {},
    socket: undefined,
    onSent: () => {},
  };
}

function clientRequest(
  { secure, client }: Connection,
  stream: ServerHttp2Stream,
  head: RequestHead,
  hasBody: boolean,
): ClientRequest {
  return {
    ...head,
    clientAddress: client,
    httpVersion: '2.0',
    scheme: 'https',
    secure,
    body: hasBody ? bodyOf(stream) : undefined,
    interim(status, fields) {
      if (stream.headersSent || stream.destroyed || stream.closed) return;
      stream.additionalHeaders(interimFields(status, fields));
    },
    gone: goneSignal(stream),
  };
}
