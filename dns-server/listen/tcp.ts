/** One TCP listener: queries one after the other or many at once on a connection, answered in order (RFC 7766). */
import { createServer, type Server, type Socket } from 'node:net';
import { listen } from '../../lib/listen.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { parseIp } from '../geo/ip-address.ts';
import { Frames } from './frames.ts';
import type { Handler } from './handler.ts';

export interface TcpLimits {
  /** Connections at one time; further ones are closed at once, and their clients come back. */
  connections: number;
  /** A connection without a whole query for so long is closed: bytes that trickle do not keep it. */
  idleMs: number;
}

export const TCP_LIMITS: TcpLimits = { connections: 1_000, idleMs: 10_000 };

export interface TcpListener {
  bound: ListenAddress;
  stop(): Promise<void>;
}

export async function listenTcp(
  address: ListenAddress,
  handle: Handler,
  log: Log,
  { connections, idleMs }: TcpLimits = TCP_LIMITS,
): Promise<TcpListener> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    serve(socket, handle, idleMs);
  });
  server.maxConnections = connections;
  const bound = await listen(server, address);
  server.on('error', (error) => log.error({ err: error }, 'TCP listener'));
  return { bound, stop: () => close(server, open) };
}

function serve(socket: Socket, handle: Handler, idleMs: number): void {
  const source = parseIp(socket.remoteAddress ?? '');
  if (source === undefined) {
    socket.destroy();
    return;
  }
  const frames = new Frames();
  const idle = setTimeout(() => socket.destroy(), idleMs);
  socket.setNoDelay();
  socket.on('close', () => clearTimeout(idle));
  // A connection that its client cut off needs no answer and no log line.
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    // Never text, since no encoding is set.
    if (typeof chunk === 'string') return;
    const messages = frames.push(chunk);
    if (messages.length > 0) idle.refresh();
    const responses = messages.flatMap((message) => frame(handle(message, source, 'tcp')));
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

function close(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of open) socket.destroy();
  });
}
