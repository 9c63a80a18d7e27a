import { isIPv6, type Server } from 'node:net';
import { formatListenAddress, type ListenAddress } from './listen-address.ts';

/**
 * Listens, and resolves with the address it got (port 0 becomes a real one). Says which address failed, and why.
 * `::` is all of IPv6 and no IPv4, as UDP sockets have it here: `0.0.0.0:80` and `[::]:80` stand side by side, and a
 * client's IPv4 address never looks like `::ffff:192.0.2.1`.
 */
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
    server.listen({ host, port, reusePort, ipv6Only: isIPv6(host) }, () => {
      server.off('error', fail);
      const bound = server.address();
      resolve({ host, port: bound !== null && typeof bound === 'object' ? bound.port : port });
    });
  });
}
