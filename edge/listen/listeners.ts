/** One server per listen address, opened together and drained together. */
import type { Server } from 'node:http';
import { listen } from '../../lib/listen.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';

export interface ServingServer {
  server: Server;
  /** Its connections that node:http does not know. */
  others: OtherConnections;
}

export interface OtherConnections {
  /** Each goes when what is being written is out. */
  closeIdle(): void;
  closeAll(): void;
}

/** Where clients come to. */
export interface ServingAddress extends ListenAddress {
  /** They speak TLS there. */
  secure: boolean;
}

export interface Listeners {
  bound: ServingAddress[];
  /** Of clients, open now. */
  connections(): Promise<number>;
  /** Stops accepting, and lets the answers that are on their way out. */
  drain(): Promise<void>;
}

/** What is not out by then is cut off: whoever told us to stop waits ten seconds. */
const DRAIN_MS = 6_000;

export async function startListeners(
  addresses: readonly ServingAddress[],
  create: (how: { secure: boolean }) => ServingServer,
  { reusePort = false }: { reusePort?: boolean } = {},
): Promise<Listeners> {
  const opened: (ServingServer & { bound: ServingAddress })[] = [];
  try {
    for (const address of addresses) {
      const { secure } = address;
      const created = create({ secure });
      const bound = await listen(created.server, address, { reusePort });
      opened.push({ ...created, bound: { ...bound, secure } });
    }
  } catch (error) {
    for (const { server } of opened) server.close();
    throw error;
  }
  return {
    bound: opened.map(({ bound }) => bound),
    connections: async () => {
      const counts = await Promise.all(opened.map(({ server }) => openConnections(server)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    drain: async () => void (await Promise.all(opened.map(drainServer))),
  };
}

/** A server that is closed has none. */
function openConnections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((error, count) => resolve(error ? 0 : count)));
}

async function drainServer({ server, others }: ServingServer): Promise<void> {
  // Node keeps no connection alive after close(), so those that fall idle while we wait go by themselves.
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  others.closeIdle();
  const timer = setTimeout(() => {
    server.closeAllConnections();
    others.closeAll();
  }, DRAIN_MS);
  await closed;
  clearTimeout(timer);
}
