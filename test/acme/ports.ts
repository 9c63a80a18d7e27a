/** Ports that were free a moment ago, TCP and UDP. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { listen } from '../../lib/listen.ts';

export async function freePorts(host: string, count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const server = createServer();
    const { port } = await listen(server, { host, port: 0 });
    const socket = createSocket('udp4');
    const isFree = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false));
      socket.bind(port, host, () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    socket.close();
    if (isFree) ports.push(port);
  }
  return ports;
}
