/** A port that is free on every loopback address, TCP and UDP, and stays so until it is used. */
import { randomInt } from 'node:crypto';
import { tryBind } from '../try-bind.ts';

/** Below the range from which systems take ports for connections: nothing but a test takes one here by chance. */
const RANGE = [20_000, 32_000] as const;
const given = new Set<number>();

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(...RANGE);
    if (given.has(port)) continue;
    given.add(port);
    const address = { host: '0.0.0.0', port };
    const taken = (await tryBind(address, 'tcp')) ?? (await tryBind(address, 'udp'));
    if (taken === undefined) return port;
  }
}
