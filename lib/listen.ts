import type { Server } from 'node:net';
import { formatListenAddress, type ListenAddress } from './listen-address.ts';

/** Listens, and resolves with the address it got (port 0 becomes a real one). Says which address failed, and why. */
export function listen(
  server: Server,
  { host, port }: ListenAddress,
  { reusePort = false }: { reusePort?: boolean } = {},
): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(
        new Error(`cannot listen on ${formatListenAddress({ host, port })}: ${error.message}`, {
          cause: error,
        }),
      );
    server.once('error', fail);
    server.listen({ host, port, reusePort }, () => {
      server.off('error', fail);
      const bound = server.address();
      resolve({ host, port: bound !== null && typeof bound === 'object' ? bound.port : port });
    });
  });
}
