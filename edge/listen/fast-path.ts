/**
 * Plain requests straight from the socket. A connection begins here, and stays while what comes is whole GETs and HEADs
 * without content; with the first bytes that are anything else it goes over to node:http for good, with these put back.
 * Nothing is refused here.
 *
 *     socket ──bytes──> plain? ──> ready? ──> head, and body from memory or by sendfile
 *                         │          else ──> answering: the same pipeline as node:http's requests take
 *                         else ──> node:http, from these bytes on
 *
 * A connection that waits for its next request costs what its socket costs: the listeners are shared by all of them, and
 * one timer looks after their time-outs.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { HeldPart } from '../answer/ready-content.ts';
import type { ReadyHit, ReadyHits } from '../answer/ready-hits.ts';
import type { Limits } from '../limits/limits.ts';
import type { RateWatch, Transfer } from '../limits/rate-watch.ts';
import { hasAllLeft } from '../limits/socket-bytes.ts';
import type { SecureConnection } from '../tls/secure-connection.ts';
import type { Answering } from './answering.ts';
import type { KernelCopies } from './kernel-copies.ts';
import type { OtherConnections } from './listeners.ts';
import { clientRequest, outgoingTo } from './plain-exchange.ts';
import { type HeadFields, type PlainRequest, plainRequestReader } from './plain-request.ts';
import { PlainResponse, persistenceFields } from './plain-response.ts';
import { FileFault, type SendFile } from './send-file.ts';
import { writeBytes } from './write-bytes.ts';

export interface FastPathParts {
  /** Nothing: every connection is node:http's. */
  ready: ReadyHits | undefined;
  /** What is no ready hit. */
  answering: Answering;
  sendFile: SendFile | undefined;
  copies: KernelCopies | undefined;
  /** One hit was answered, with so many bytes of body. */
  onHit: (
    hit: ReadyHit,
    bytes: number,
    request: PlainRequest,
    from: { socket: Socket; secure: SecureConnection | undefined },
  ) => void;
  /** A connection that is node:http's from now on. */
  onHandOver: (socket: Socket, secure: SecureConnection | undefined) => void;
  limits: Limits;
  rateWatch: RateWatch;
}

/** As node:http does, so that a client that comes just in time is still served. */
const KEEP_ALIVE_SPARE_MS = 1_000;
/** Most connections wait for nothing, and an array for each is memory. */
const NONE: readonly PlainRequest[] = [];
/** How often it is looked for connections that have been quiet for too long. */
const LOOK_EVERY_MS = 1_000;

/** The connections that node:http does not know, for the server's end. */
export interface FastPath extends OtherConnections {
  /** A connection's begin; one over TLS when its handshake is done. */
  begin(socket: Socket, secure?: SecureConnection): void;
}

interface Connection {
  secure: SecureConnection | undefined;
  served: boolean;
  /** Looks that found it quiet. */
  quiet: number;
  /** An answer is on its way, or bytes wait in the socket: nothing may come in between. */
  busy: boolean;
  /** Requests that came with the one that it is busy with, and what they are about. */
  waiting: readonly PlainRequest[];
  /** The answer that is no ready hit. */
  response: PlainResponse | undefined;
  /** Of the last answer that it was busy with. */
  transfer: Transfer | undefined;
}

/** Puts itself before node:http; `begin` has to be told of each connection. */
export function installFastPath(
  server: Server,
  { ready, answering, sendFile, copies, onHit, onHandOver, limits, rateWatch }: FastPathParts,
): FastPath {
  const read = plainRequestReader(limits);
  const toNode = server.listeners('connection');
  server.removeAllListeners('connection');
  const connections = new Map<Socket, Connection>();
  const goesOn = persistenceFields(server.keepAliveTimeout);
  const looking = setInterval(look, LOOK_EVERY_MS).unref();
  server.on('close', () => clearInterval(looking));
  let ending = false;

  function begin(socket: Socket, secure?: SecureConnection): void {
    if (ready === undefined) {
      toNodeHttp(socket, secure);
      return;
    }
    connections.set(socket, {
      secure,
      served: false,
      quiet: 0,
      busy: false,
      waiting: NONE,
      response: undefined,
      transfer: undefined,
    });
    for (const [event, listener] of listeners) socket.on(event, listener);
  }

  function onData(this: Socket, bytes: Buffer): void {
    const connection = connections.get(this);
    if (connection === undefined) return;
    if (connection.busy) {
      // It waits where it has come: what is read is bounded so.
      this.pause();
      this.unshift(bytes);
      return;
    }
    const requests = server.listening ? read(bytes) : undefined;
    if (requests === undefined) handOver(this, bytes);
    else answerAll(this, connection, requests);
  }

  /** One after another; what comes behind one that takes its time waits. */
  function answerAll(socket: Socket, connection: Connection, requests: readonly PlainRequest[]): void {
    for (let index = 0; index < requests.length; index++) {
      const request = requests[index];
      if (request === undefined) return;
      if (connection.busy) {
        connection.waiting = requests.slice(index);
        return;
      }
      if (answerOne(socket, connection, request)) continue;
      handOver(
        socket,
        Buffer.from(
          requests
            .slice(index)
            .map(({ text }) => text)
            .join(''),
          'latin1',
        ),
      );
      return;
    }
  }

  /** False where it is node:http's to answer. */
  function answerOne(socket: Socket, connection: Connection, request: PlainRequest): boolean {
    connection.served = true;
    connection.quiet = 0;
    const { secure } = connection;
    const hit = request.isPlain ? ready?.(request, secure?.uid) : undefined;
    // Over TLS bytes are encrypted here, so that the kernel can send none by itself.
    const mayUseFile = sendFile !== undefined && secure === undefined;
    if (hit !== undefined && (mayUseFile || Buffer.isBuffer(hit.body))) {
      sendHit(socket, connection, request, hit);
      return true;
    }
    if (request.head === undefined) return false;
    answer(socket, connection, request, request.head);
    return true;
  }

  function sendHit(socket: Socket, connection: Connection, request: PlainRequest, hit: ReadyHit): void {
    const { secure } = connection;
    if (!Buffer.isBuffer(hit.body)) {
      sendParts(socket, connection, request, hit, hit.body);
      return;
    }
    const copy = sendFile !== undefined && secure === undefined ? copies?.partOf(hit) : undefined;
    if (copy !== undefined) {
      sendParts(socket, connection, request, hit, [copy]);
      return;
    }
    onHit(hit, hit.length, request, { socket, secure });
    const isAlone = socket.writableLength === 0;
    writeBytes(socket, hit.head, hit.body);
    if (socket.writableLength === 0) return;
    // TLS says so in the next turn only; most answers have left by then.
    if (secure === undefined || !isAlone || !hasAllLeft(secure.raw)) wait(socket, connection);
  }

  function answer(socket: Socket, connection: Connection, request: PlainRequest, head: HeadFields): void {
    const { secure } = connection;
    const response = new PlainResponse(socket, {
      isHead: request.method === 'HEAD',
      persistence: () => (ending ? undefined : goesOn),
    });
    connection.response = response;
    hold(socket, connection);
    response.once('finish', () => {
      connection.response = undefined;
      if (response.isLast) socket.destroySoon();
      else if (socket.writableLength > 0) socket.write('', () => goOn(socket, connection));
      else goOn(socket, connection);
    });
    const onSent = (bytes: number) => connection.transfer?.sentAside(bytes);
    const asked = clientRequest(request, head, { socket, secure, response });
    void answering(asked, outgoingTo(socket, response, onSent), 'HTTP/1.1');
  }

  /** A client that reads slowly gets no second answer before it has the first one. */
  function wait(socket: Socket, connection: Connection): void {
    stop(socket, connection);
    socket.write('', () => goOn(socket, connection));
  }

  function sendParts(
    socket: Socket,
    connection: Connection,
    request: PlainRequest,
    hit: ReadyHit,
    parts: readonly HeldPart[],
  ): void {
    for (const { file } of parts) file.hold();
    let isOut = false;
    const onSent = (bytes: number) => connection.transfer?.sentAside(bytes);
    sendFile?.(socket, { head: hit.head, parts, onSent }, (error, bytes) => {
      isOut = true;
      for (const { file } of parts) {
        // The next answer reads and compares it, and has the rest fetched anew.
        if (error instanceof FileFault) file.doubt();
        file.letGo();
      }
      onHit(hit, bytes, request, { socket, secure: undefined });
      // An answer that cannot be gone on with must not look whole.
      if (error) socket.destroy();
      else if (connection.busy) goOn(socket, connection);
    });
    if (!isOut) stop(socket, connection);
  }

  function stop(socket: Socket, connection: Connection): void {
    hold(socket, connection);
    socket.pause();
  }

  /** It is read on, until something comes: that its client goes is to be heard. */
  function hold(socket: Socket, connection: Connection): void {
    connection.busy = true;
    connection.transfer = rateWatch.watch(connection.secure?.raw ?? socket, () => socket.writableLength > 0);
    socket.setTimeout(server.timeout, onStalled);
  }

  function goOn(socket: Socket, connection: Connection): void {
    connection.busy = false;
    connection.quiet = 0;
    connection.transfer?.end();
    socket.setTimeout(0, onStalled);
    if (socket.destroyed) return;
    if (ending) {
      socket.destroySoon();
      return;
    }
    const { waiting } = connection;
    connection.waiting = NONE;
    answerAll(socket, connection, waiting);
    if (!connection.busy) socket.resume();
  }

  function onStalled(this: Socket): void {
    this.destroy();
  }
  function onEnd(this: Socket): void {
    this.end();
  }
  function onError(this: Socket): void {
    this.destroy();
  }
  function onClose(this: Socket): void {
    const connection = connections.get(this);
    connections.delete(this);
    connection?.transfer?.end();
    connection?.response?.destroy();
  }

  function look(): void {
    const keepAliveMs = server.keepAliveTimeout + KEEP_ALIVE_SPARE_MS;
    for (const [socket, connection] of connections) {
      if (connection.busy) continue;
      const quietMs = ++connection.quiet * LOOK_EVERY_MS;
      if (connection.served) {
        if (quietMs > keepAliveMs) socket.destroy();
        // One that sends nothing at all is for node:http to answer, in its own time.
      } else if (quietMs > server.headersTimeout) handOver(socket, undefined);
    }
  }

  function handOver(socket: Socket, bytes: Buffer | undefined): void {
    for (const [event, listener] of listeners) socket.removeListener(event, listener);
    const secure = connections.get(socket)?.secure;
    connections.delete(socket);
    if (bytes !== undefined) socket.unshift(bytes);
    toNodeHttp(socket, secure);
  }

  function toNodeHttp(socket: Socket, secure: SecureConnection | undefined): void {
    onHandOver(socket, secure);
    for (const listener of toNode) Reflect.apply(listener, server, [socket]);
  }

  const listeners = [
    ['data', onData],
    ['end', onEnd],
    ['error', onError],
    ['close', onClose],
  ] as const;

  return {
    begin,
    closeIdle() {
      ending = true;
      for (const [socket, { busy }] of connections) if (!busy) socket.destroySoon();
    },
    closeAll() {
      for (const socket of connections.keys()) socket.destroy();
    },
  };
}
