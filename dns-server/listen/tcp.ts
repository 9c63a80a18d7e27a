/**
 * Listeners for connections, in the clear or with TLS (RFC 7858): queries one after the other or many at once on a
 * connection, answered in order (RFC 7766).
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { listen } from '../../lib/listen.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { type IpAddress, parseIp } from '../geo/ip-address.ts';
import type { Certificate } from './certificate.ts';
import { Frames } from './frames.ts';
import type { Handler } from './handler.ts';
import { type ConnectionEvents, type ConnectionLimits, OpenConnections } from './open-connections.ts';

export interface TcpLimits extends ConnectionLimits {
  /** A connection without a whole query for so long is closed: bytes that trickle do not keep it. */
  idleMs: number;
}

export const TCP_LIMITS: TcpLimits = { connections: 1_000, perClient: 250, idleMs: 10_000 };

/** Beside those that are open so many may be shaking hands. */
export const HANDSHAKES = 1_000;

export interface TcpOptions extends ConnectionEvents {
  limits?: TcpLimits;
  /** With one, the listener speaks TLS. */
  certificate?: Certificate;
}

export interface TcpListener {
  bound: ListenAddress;
  stop(): Promise<void>;
}

export async function listenTcp(
  address: ListenAddress,
  handle: Handler,
  log: Log,
  { limits = TCP_LIMITS, certificate, ...events }: TcpOptions = {},
): Promise<TcpListener> {
  const open = new OpenConnections(limits, events);
  const accept = (socket: Socket) => {
    const source = parseIp(socket.remoteAddress ?? '');
    if (source === undefined || !open.admit(socket, source)) socket.destroy();
    else {
      const used = () => open.used(socket);
      serve(socket, source, handle, { transport: certificate ? 'tls' : 'tcp', idleMs: limits.idleMs, used });
    }
  };
  const { server, unfollow } = createListener(accept, limits.idleMs, certificate);
  server.maxConnections = limits.connections + HANDSHAKES;
  server.on('drop', () => events.onRefused?.());
  const bound = await listen(server, address);
  server.on('error', (error) => log.error({ err: error }, 'TCP listener'));
  return {
    bound,
    stop: () => {
      unfollow();
      return close(server, open);
    },
  };
}

function createListener(
  accept: (socket: Socket) => void,
  idleMs: number,
  certificate: Certificate | undefined,
): { server: Server; unfollow: () => void } {
  if (certificate === undefined) return { server: createServer(accept), unfollow: () => {} };
  const server = createTlsServer({ ...certificate.current(), handshakeTimeout: idleMs }, accept);
  return { server, unfollow: certificate.follow((pair) => server.setSecureContext(pair)) };
}

function serve(
  socket: Socket,
  source: IpAddress,
  handle: Handler,
  { transport, idleMs, used }: { transport: 'tcp' | 'tls'; idleMs: number; used: () => void },
): void {
  const frames = new Frames();
  const idle = setTimeout(() => socket.destroy(), idleMs);
  socket.setNoDelay();
  socket.on('close', () => clearTimeout(idle));
  // A connection that its client cut off needs no answer and no log line.
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    // Never text, since no encoding is set.
    if (typeof chunk === 'string') return;
    const responses = frames.push(chunk).flatMap((message) => frame(handle(message, source, transport)));
    // Messages that get no answer, empty ones say, are no more use than bytes that trickle.
    if (responses.length > 0) {
      idle.refresh();
      used();
    }
    // A client that asks and does not read waits until it has: answers do not pile up here.
    if (responses.length > 0 && !socket.write(Buffer.concat(responses))) {
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
  });
}

function frame(response: Buffer | undefined): Buffer[] {
  if (response === undefined) return [];
  const framed = Buffer.allocUnsafe(2 + response.length);
  framed.writeUInt16BE(response.length, 0);
  response.copy(framed, 2);
  return [framed];
}

function close(server: Server, open: OpenConnections): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    open.destroyAll();
  });
}
