/**
 * The operator's port. Agents and `weir` speak TLS 1.3 to it; a client may show a certificate, and whether it has to is
 * for each path to say: a handshake that fails could not tell anybody why.
 *
 * What comes in the clear is told to use TLS, and gets the admin paths where these have no address of their own:
 * kubelets and Prometheus ask for them without a certificate. A TLS handshake begins with byte 22 (RFC 8446, 5.1).
 */
import { createServer as createClearServer, type RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { listen } from '../../lib/listen.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';

const TLS_HANDSHAKE = 22;
/** Longer than the beat of edges' reports: a thousand acks must not begin with a thousand handshakes. */
const KEEP_ALIVE_MS = 30_000;
/** Whoever connects has so long to say something. */
const FIRST_BYTE_WITHIN_MS = 10_000;
const HANDSHAKE_WITHIN_MS = 10_000;

export interface Port {
  start(address: ListenAddress): Promise<ListenAddress>;
  /** For connections from now on. */
  use(tls: TlsOptions): void;
  stop(): Promise<void>;
}

export function createPort(tls: TlsOptions, secure: RequestListener, clear: RequestListener): Port {
  const server = createServer(withClients(tls), secure);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const clearServer = createClearServer(clear);
  const handshakes = server.listeners('connection');
  server.removeAllListeners('connection');
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.once('error', () => socket.destroy());
    const tooLate = setTimeout(() => socket.destroy(), FIRST_BYTE_WITHIN_MS);
    socket.once('close', () => clearTimeout(tooLate));
    socket.once('data', (bytes: Buffer) => {
      clearTimeout(tooLate);
      socket.pause();
      socket.unshift(bytes);
      if (bytes[0] === TLS_HANDSHAKE) for (const begin of handshakes) begin.call(server, socket);
      else clearServer.emit('connection', socket);
      process.nextTick(() => socket.resume());
    });
  });
  return {
    async start(address) {
      const bound = await listen(server, address);
      // It never listens itself, and bounds slow requests from when it is told that it does.
      clearServer.emit('listening');
      return bound;
    },
    use: (changed) => server.setSecureContext(withClients(changed)),
    async stop() {
      clearServer.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      // Those that are still in their handshake, or in the clear.
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

const withClients = (tls: TlsOptions) => ({
  ...tls,
  requestCert: true,
  rejectUnauthorized: false,
  handshakeTimeout: HANDSHAKE_WITHIN_MS,
});
