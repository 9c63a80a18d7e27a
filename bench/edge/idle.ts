/** What connections cost that wait for their next request: memory before and with them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { memoryMegabytes } from './process-cost.ts';
import { HOST, type Running } from './server.ts';

/** At once: more would overrun the backlog of the ones with a short one. */
const BATCH = 100;

export async function idleConnections(running: readonly Running[], count: number): Promise<string[]> {
  const lines: string[] = [];
  for (const { server, port, pid } of count > 0 ? running : []) {
    const before = memoryMegabytes(pid);
    const sockets: Socket[] = [];
    while (sockets.length < count) {
      sockets.push(...(await Promise.all(Array.from({ length: BATCH }, () => usedConnection(port)))));
    }
    await wait(1_000);
    const kilobytes = ((memoryMegabytes(pid) - before) * 1_024) / count;
    lines.push(`${server.name}: ${kilobytes.toFixed(1)} KB for each of ${count} idle connections`);
    for (const socket of sockets) socket.destroy();
    await wait(1_000);
  }
  return lines;
}

/** One that has had an answer, as an idle one of a browser has. */
async function usedConnection(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET /1k HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  let received = 0;
  while (received < 1_024) {
    const [data] = await once(socket, 'data');
    received += data.length;
  }
  return socket;
}
