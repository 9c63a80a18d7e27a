/** Whether this machine can listen on an address right now: binds, and lets go at once. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { ListenAddress } from './listen-address.ts';

/** The system's error code (`EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` …), or nothing when it can. */
export function tryBind({ host, port }: ListenAddress, protocol: 'tcp' | 'udp'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve('code' in error ? String(error.code) : error.message);
    if (protocol === 'tcp') {
      const server = createServer().once('error', failed);
      server.listen({ host, port }, () => server.close(() => resolve(undefined)));
    } else {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4').once('error', (error) => {
        socket.close();
        failed(error);
      });
      socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(undefined)));
    }
  });
}
