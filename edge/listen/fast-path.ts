/**
 * Plain hits straight from the socket. A connection begins here; with the first request that is not plain, or not a hit
 * in memory, it goes over to node:http for good, with the bytes that have come put back. Nothing is refused here.
 *
 *     socket ──bytes──> plain? ──> ready? ──> head and body          else ──> node:http, from these bytes on
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ReadyHit, ReadyHits } from '../answer/ready-hits.ts';
import { plainRequestReader } from './plain-request.ts';

export interface FastPathParts {
  ready: ReadyHits;
  /** One hit was answered, with so many bytes of body. */
  onHit: (domain: string, bytes: number) => void;
}

/** A body up to this size is copied behind its head: one buffer is cheaper to write than two. */
const COPIED_BYTES = 8_192;
/** As node:http does, so that a client that comes just in time is still served. */
const KEEP_ALIVE_SPARE_MS = 1_000;

/** The connections that node:http does not know, for the server's end. */
export interface FastPath {
  /** Each goes when what is being written is out. */
  closeIdle(): void;
  closeAll(): void;
}

/** Puts itself before node:http. */
export function installFastPath(server: Server, { ready, onHit }: FastPathParts): FastPath {
  const read = plainRequestReader();
  const toNode = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', begin);
  const connections = new Set<Socket>();
  const persistence = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(server.keepAliveTimeout / 1_000)}\r\n\r\n`;

  function begin(socket: Socket): void {
    connections.add(socket);
    let served = false;
    // One that sends nothing at all is for node:http to answer, in its own time.
    socket.setTimeout(server.headersTimeout);

    function onData(bytes: Buffer): void {
      const plain = server.listening ? read(bytes) : undefined;
      const hit = plain && ready(plain);
      if (plain === undefined || hit === undefined) {
        handOver(bytes);
        return;
      }
      if (!served) socket.setTimeout(server.keepAliveTimeout + KEEP_ALIVE_SPARE_MS);
      served = true;
      const withBody = plain.method === 'GET';
      onHit(hit.domain, withBody ? hit.body.length : 0);
      if (write(socket, hit, persistence, withBody)) return;
      // A client that reads slowly gets no second answer before it has the first one.
      socket.pause();
      socket.setTimeout(server.timeout);
      socket.once('drain', onDrain);
    }
    function onDrain(): void {
      socket.setTimeout(server.keepAliveTimeout + KEEP_ALIVE_SPARE_MS);
      socket.resume();
    }
    function onTimeout(): void {
      if (served) socket.destroy();
      else handOver(undefined);
    }
    function onEnd(): void {
      socket.end();
    }
    function onError(): void {
      socket.destroy();
    }
    function forget(): void {
      connections.delete(socket);
    }

    function handOver(bytes: Buffer | undefined): void {
      for (const [event, listener] of listeners) socket.removeListener(event, listener);
      forget();
      socket.setTimeout(0);
      if (bytes !== undefined) socket.unshift(bytes);
      for (const listener of toNode) Reflect.apply(listener, server, [socket]);
    }

    const listeners = [
      ['data', onData],
      ['timeout', onTimeout],
      ['end', onEnd],
      ['error', onError],
      ['close', forget],
    ] as const;
    for (const [event, listener] of listeners) socket.on(event, listener);
  }

  return {
    closeIdle() {
      for (const socket of connections) socket.destroySoon();
    },
    closeAll() {
      for (const socket of connections) socket.destroy();
    },
  };
}

function write(socket: Socket, { head, body }: ReadyHit, persistence: string, withBody: boolean): boolean {
  if (!withBody) return socket.write(head + persistence, 'latin1');
  if (body.length > COPIED_BYTES) {
    socket.cork();
    socket.write(head + persistence, 'latin1');
    const more = socket.write(body);
    socket.uncork();
    return more;
  }
  const bytes = Buffer.allocUnsafe(head.length + persistence.length + body.length);
  bytes.write(head, 0, 'latin1');
  bytes.write(persistence, head.length, 'latin1');
  body.copy(bytes, head.length + persistence.length);
  return socket.write(bytes);
}
