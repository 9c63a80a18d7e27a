/** A replica that does not lead: alive, not ready, and saying who leads. */
import type { Registry } from 'prom-client';
import { startAdminServer } from '../lib/admin-server.ts';
import type { ListenAddress } from '../lib/listen-address.ts';
import type { Election } from './backing.ts';

/** Resolves when this replica leads; the port is free again. */
export async function standBy(election: Election, listen: ListenAddress, metrics: Registry): Promise<void> {
  const notReady = () => `standing by: ${election.holder() || 'nobody'} leads`;
  const server = await startAdminServer({ listen, metrics, notReady });
  await election.led;
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}
