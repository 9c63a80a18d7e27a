/** DNS over TLS and over HTTPS, with one certificate, on the addresses of each. */
import type { Clock } from '../../lib/clock.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { type CertificateFiles, followCertificate } from './certificate.ts';
import type { Handler } from './handler.ts';
import { listenHttps } from './https.ts';
import type { ConnectionEvents } from './open-connections.ts';
import { listenTcp, type TcpListener } from './tcp.ts';

export interface EncryptedOptions {
  files: CertificateFiles;
  dot: readonly ListenAddress[];
  doh: readonly ListenAddress[];
}

export interface EncryptedListeners {
  dot: ListenAddress[];
  doh: ListenAddress[];
  stop(): Promise<void>;
}

export async function startEncrypted(
  { files, dot, doh }: EncryptedOptions,
  handle: Handler,
  { clock, log, ...events }: { clock: Clock; log: Log } & ConnectionEvents,
): Promise<EncryptedListeners> {
  await using started = new AsyncDisposableStack();
  const certificate = await followCertificate(files, clock, log);
  started.defer(() => certificate.stop());
  const start = async (opening: Promise<TcpListener>): Promise<ListenAddress> => {
    const listener = await opening;
    started.defer(() => listener.stop());
    return listener.bound;
  };
  const bound: Pick<EncryptedListeners, 'dot' | 'doh'> = { dot: [], doh: [] };
  for (const address of dot) {
    bound.dot.push(await start(listenTcp(address, handle, log, { certificate, ...events })));
  }
  for (const address of doh) {
    bound.doh.push(await start(listenHttps(address, handle, log, certificate, events)));
  }
  const running = started.move();
  return { ...bound, stop: () => running.disposeAsync() };
}
