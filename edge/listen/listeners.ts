/** One server per listen address, opened together and drained together. */
import type { Server } from 'node:http';
import { listen } from '../../lib/listen.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';

export interface Listeners {
  bound: ListenAddress[];
  /** Stops accepting, and lets the answers that are on their way out. */
  drain(): Promise<void>;
}

/** What is not out by then is cut off: whoever told us to stop waits ten seconds. */
const DRAIN_MS = 6_000;

export async function startListeners(
  addresses: readonly ListenAddress[],
  create: () => Server,
): Promise<Listeners> {
  const opened: { server: Server; bound: ListenAddress }[] = [];
  try {
    for (const address of addresses) {
      const server = create();
      opened.push({ server, bound: await listen(server, address) });
    }
  } catch (error) {
    for (const { server } of opened) server.close();
    throw error;
  }
  return {
    bound: opened.map(({ bound }) => bound),
    drain: async () => void (await Promise.all(opened.map(({ server }) => drainServer(server)))),
  };
}

async function drainServer(server: Server): Promise<void> {
  // Node keeps no connection alive after close(), so those that fall idle while we wait go by themselves.
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(timer);
}
