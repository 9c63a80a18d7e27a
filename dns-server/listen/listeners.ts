/** UDP and TCP on each address, on the same port. */
import type { ListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import type { Handler } from './handler.ts';
import { listenTcp, type TcpListener, type TcpOptions } from './tcp.ts';
import { listenUdp, type UdpListener } from './udp.ts';

export interface Listeners {
  bound: ListenAddress[];
  stop(): Promise<void>;
}

/** One of the ways to listen on UDP. */
export type OpenUdp = (address: ListenAddress, handle: Handler, log: Log) => Promise<UdpListener>;

/** With port 0 the kernel picks one that is free for UDP; TCP may hold it, so that another is tried. */
const FREE_PORT_ATTEMPTS = 10;

export async function startListeners(
  addresses: readonly ListenAddress[],
  handle: Handler,
  log: Log,
  openUdp: OpenUdp = listenUdp,
  tcpOptions: TcpOptions = {},
): Promise<Listeners> {
  const started: (UdpListener | TcpListener)[] = [];
  const bound: ListenAddress[] = [];
  const stop = async () => void (await Promise.all(started.map((listener) => listener.stop())));
  try {
    for (const address of addresses) {
      const [udp, tcp] = await startPair(address, handle, log, openUdp, tcpOptions);
      started.push(udp, tcp);
      bound.push(udp.bound);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { bound, stop };
}

async function startPair(
  address: ListenAddress,
  handle: Handler,
  log: Log,
  openUdp: OpenUdp,
  tcp: TcpOptions,
): Promise<[UdpListener, TcpListener]> {
  for (let attempt = 1; ; attempt++) {
    const udp = await openUdp(address, handle, log);
    try {
      return [udp, await listenTcp(udp.bound, handle, log, tcp)];
    } catch (error) {
      await udp.stop();
      if (address.port !== 0 || attempt === FREE_PORT_ATTEMPTS) throw error;
    }
  }
}
