/** One UDP socket: a datagram in, at most one out. */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { formatListenAddress, type ListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { ipv4Reader, parseIp } from '../geo/ip-address.ts';
import type { Handler } from './handler.ts';

/** Room for a burst while the process does something else, such as preparing a plan. The kernel may give less. */
export const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

export interface UdpListener {
  bound: ListenAddress;
  stop(): Promise<void>;
}

export async function listenUdp(
  { host, port }: ListenAddress,
  handle: Handler,
  log: Log,
): Promise<UdpListener> {
  const type = isIPv6(host) ? 'udp6' : 'udp4';
  const socket = createSocket({
    type,
    ipv6Only: type === 'udp6',
    recvBufferSize: RECEIVE_BUFFER_BYTES,
    // The addresses that we send to are literal; the default would ask the resolver's cache for each of them.
    lookup: (hostname, _options, done) => done(null, hostname, type === 'udp6' ? 6 : 4),
  });
  await bind(socket, { host, port });
  // Node tells nobody which address a datagram came to: the answer leaves from the one that the route prefers.
  if (isWildcard(host)) log.warn({ host }, WILDCARD);
  socket.on('error', (error) => log.error({ err: error }, 'UDP socket'));
  const readSource = type === 'udp6' ? parseIp : ipv4Reader();
  socket.on('message', (message, { address, port: from }) => {
    // Forged, and nowhere to be answered: sending to it would throw, and end the process.
    if (from === 0) return;
    const source = readSource(address);
    const response = source && handle(message, source, 'udp');
    // With no callback an error of sending is told to nobody: a client that is gone is no fault of ours.
    if (response) socket.send(response, from, address);
  });
  return {
    bound: { host, port: socket.address().port },
    stop: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

const WILDCARD =
  'UDP is answered packet by packet on all addresses: where this machine has several, name them in listen, since answers may leave from another than was asked';

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function bind(socket: Socket, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      const where = formatListenAddress({ host, port });
      reject(new Error(`cannot listen on ${where}, UDP: ${error.message}`, { cause: error }));
    });
    socket.bind(port, host, () => {
      socket.removeAllListeners('error');
      resolve();
    });
  });
}
