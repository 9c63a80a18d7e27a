/**
 * Plain hits straight from the socket. A connection begins here; with the first request that is not plain, or not a
 * ready hit, it goes over to node:http for good, with the bytes that have come put back. Nothing is refused here.
 *
 *     socket ──bytes──> plain? ──> ready? ──> head, and body from memory or by sendfile
 *                         else ──> node:http, from these bytes on
 *
 * A connection that waits for its next request costs what its socket costs: the listeners are shared by all of them, and
 * one timer looks after their time-outs.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { PartOfFile, ReadyHit, ReadyHits } from '../answer/ready-hits.ts';
import type { Limits } from '../limits/limits.ts';
import type { RateWatch, Transfer } from '../limits/rate-watch.ts';
import type { SecureConnection } from '../tls/secure-connection.ts';
import type { KernelCopies } from './kernel-copies.ts';
import type { OtherConnections } from './listeners.ts';
import { type PlainRequest, plainRequestReader } from './plain-request.ts';
import { FileFault, type SendFile } from './send-file.ts';

export interface FastPathParts {
  ready: ReadyHits;
  sendFile: SendFile | undefined;
  copies: KernelCopies | undefined;
  /** One hit was answered, with so many bytes of body. */
  onHit: (
    hit: ReadyHit,
    bytes: number,
    request: PlainRequest,
    from: { socket: Socket; secure: SecureConnection | undefined },
  ) => void;
  limits: Limits;
  rateWatch: RateWatch;
}

/** A body up to this size is copied behind its head: one buffer is cheaper to write than two. */
const COPIED_BYTES = 8_192;
/** As node:http does, so that a client that comes just in time is still served. */
const KEEP_ALIVE_SPARE_MS = 1_000;
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
  /** A file is on its way, or bytes wait in the socket: nothing may come in between. */
  busy: boolean;
  /** Of the last answer that it was busy with. */
  transfer: Transfer | undefined;
}

/** Puts itself before node:http; `begin` has to be told of each connection. */
export function installFastPath(
  server: Server,
  { ready, sendFile, copies, onHit, limits, rateWatch }: FastPathParts,
): FastPath {
  const read = plainRequestReader(limits);
  const toNode = server.listeners('connection');
  server.removeAllListeners('connection');
  const connections = new Map<Socket, Connection>();
  const persistence = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(server.keepAliveTimeout / 1_000)}\r\n\r\n`;
  const looking = setInterval(look, LOOK_EVERY_MS).unref();
  server.on('close', () => clearInterval(looking));
  let ending = false;

  function begin(socket: Socket, secure?: SecureConnection): void {
    connections.set(socket, { secure, served: false, quiet: 0, busy: false, transfer: undefined });
    for (const [event, listener] of listeners) socket.on(event, listener);
  }

  function onData(this: Socket, bytes: Buffer): void {
    const connection = connections.get(this);
    if (connection === undefined) return;
    const plain = server.listening ? read(bytes) : undefined;
    const { secure } = connection;
    const hit = plain && ready(plain, secure?.uid);
    // Over TLS bytes are encrypted here, so that the kernel can send none by itself.
    const mayUseFile = sendFile !== undefined && secure === undefined;
    if (plain === undefined || hit === undefined || !(mayUseFile || Buffer.isBuffer(hit.body))) {
      handOver(this, bytes);
      return;
    }
    connection.served = true;
    connection.quiet = 0;
    if (plain.method === 'HEAD') {
      onHit(hit, 0, plain, { socket: this, secure });
      this.write(hit.head + persistence, 'latin1');
      return;
    }
    if (!Buffer.isBuffer(hit.body)) {
      sendPart(this, connection, plain, hit, hit.body);
      return;
    }
    const copy = mayUseFile ? copies?.partOf(hit) : undefined;
    if (copy !== undefined) {
      sendPart(this, connection, plain, hit, copy);
      return;
    }
    onHit(hit, hit.length, plain, { socket: this, secure });
    writeBytes(this, hit.head + persistence, hit.body);
    if (this.writableLength > 0) wait(this, connection);
  }

  /** A client that reads slowly gets no second answer before it has the first one. */
  function wait(socket: Socket, connection: Connection): void {
    stop(socket, connection);
    socket.write('', () => goOn(socket, connection));
  }

  function sendPart(
    socket: Socket,
    connection: Connection,
    request: PlainRequest,
    hit: ReadyHit,
    part: PartOfFile,
  ): void {
    const { file, first } = part;
    file.hold();
    let isOut = false;
    const onSent = (bytes: number) => connection.transfer?.sentAside(bytes);
    const head = hit.head + persistence;
    sendFile?.(socket, { head, fd: file.fd, first, length: hit.length, onSent }, (error, bytes) => {
      isOut = true;
      // The next answer reads and compares it, and has the rest fetched anew.
      if (error instanceof FileFault) file.doubt();
      file.letGo();
      onHit(hit, bytes, request, { socket, secure: undefined });
      // An answer that cannot be gone on with must not look whole.
      if (error) socket.destroy();
      else if (connection.busy) goOn(socket, connection);
    });
    if (!isOut) stop(socket, connection);
  }

  function stop(socket: Socket, connection: Connection): void {
    connection.busy = true;
    connection.transfer = rateWatch.watch(connection.secure?.raw ?? socket, () => socket.writableLength > 0);
    socket.pause();
    socket.setTimeout(server.timeout, onStalled);
  }

  function goOn(socket: Socket, connection: Connection): void {
    connection.busy = false;
    connection.transfer?.end();
    socket.setTimeout(0, onStalled);
    if (ending) socket.destroySoon();
    else socket.resume();
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
    connections.get(this)?.transfer?.end();
    connections.delete(this);
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
    connections.delete(socket);
    if (bytes !== undefined) socket.unshift(bytes);
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

function writeBytes(socket: Socket, head: string, body: Buffer): void {
  if (body.length > COPIED_BYTES) {
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body);
    socket.uncork();
    return;
  }
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 0, 'latin1');
  body.copy(bytes, head.length);
  socket.write(bytes);
}
