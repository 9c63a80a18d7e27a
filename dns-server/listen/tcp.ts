/**
 * Listeners for connections, in the clear or with TLS (RFC 7858): queries one after the other or many at once on a
 * connection, answered in order (RFC 7766).
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { listen } from '../../lib/listen.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { type IpAddress, parseIp, unmapped } from '../geo/ip-address.ts';
import type { Certificate } from './certificate.ts';
import { Frames } from './frames.ts';
import type { Handler } from './handler.ts';

export interface TcpLimits {
  /** Connections at one time; further ones are closed at once, and their clients come back. */
  connections: number;
  /** Of them from one IPv4 address, or one IPv6 /64: one client cannot take them all. */
  perClient: number;
  /** A connection without a whole query for so long is closed: bytes that trickle do not keep it. */
  idleMs: number;
}

export const TCP_LIMITS: TcpLimits = { connections: 1_000, perClient: 250, idleMs: 10_000 };

export interface TcpOptions {
  limits?: TcpLimits;
  /** With one, the listener speaks TLS. */
  certificate?: Certificate;
  /** A connection was closed because there were too many. */
  onRefused?: () => void;
}

export interface TcpListener {
  bound: ListenAddress;
  stop(): Promise<void>;
}

export async function listenTcp(
  address: ListenAddress,
  handle: Handler,
  log: Log,
  { limits = TCP_LIMITS, certificate, onRefused = () => {} }: TcpOptions = {},
): Promise<TcpListener> {
  const open = new OpenConnections(limits.perClient, onRefused);
  const accept = (socket: Socket) => {
    const source = parseIp(socket.remoteAddress ?? '');
    if (source === undefined || !open.admit(socket, source)) socket.destroy();
    else serve(socket, source, handle, certificate ? 'tls' : 'tcp', limits.idleMs);
  };
  const { server, unfollow } = createListener(accept, limits.idleMs, certificate);
  server.maxConnections = limits.connections;
  server.on('drop', onRefused);
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

/** The connections that there are, and how many each client has. */
class OpenConnections {
  readonly #perClient: number;
  readonly #onRefused: () => void;
  readonly #sockets = new Set<Socket>();
  readonly #counts = new Map<string, number>();

  constructor(perClient: number, onRefused: () => void) {
    this.#perClient = perClient;
    this.#onRefused = onRefused;
  }

  admit(socket: Socket, source: IpAddress): boolean {
    const client = clientOf(source);
    const count = (this.#counts.get(client) ?? 0) + 1;
    if (count > this.#perClient) {
      this.#onRefused();
      return false;
    }
    this.#counts.set(client, count);
    this.#sockets.add(socket);
    socket.on('close', () => this.#closed(socket, client));
    return true;
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #closed(socket: Socket, client: string): void {
    this.#sockets.delete(socket);
    const left = (this.#counts.get(client) ?? 1) - 1;
    if (left === 0) this.#counts.delete(client);
    else this.#counts.set(client, left);
  }
}

/** Whoever has one IPv6 address has its whole /64. */
function clientOf(source: IpAddress): string {
  const { version, bytes } = unmapped(source);
  return (version === 4 ? bytes : bytes.subarray(0, 8)).join('.');
}

function serve(
  socket: Socket,
  source: IpAddress,
  handle: Handler,
  transport: 'tcp' | 'tls',
  idleMs: number,
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
    const messages = frames.push(chunk);
    if (messages.length > 0) idle.refresh();
    const responses = messages.flatMap((message) => frame(handle(message, source, transport)));
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
