/** Which way to listen on UDP: in batches where that works and is wanted, else packet by packet. */
import { availableParallelism } from 'node:os';
import type { Log } from '../../lib/log.ts';
import { type BatchOptions, listenBatch } from './batch.ts';
import { type Libc, loadLibc } from './libc.ts';
import type { OpenUdp } from './listeners.ts';
import { listenUdp } from './udp.ts';

/** `auto`: where it works; `on`: else not start; `off`: never. */
export const BATCH_MODES = ['auto', 'on', 'off'] as const;
export type BatchMode = (typeof BATCH_MODES)[number];

export interface UdpChoice extends Omit<BatchOptions, 'libc' | 'workers'> {
  mode: BatchMode;
  workers?: number | undefined;
}

/** One core is left to what is not prepared, to probes and to plans. */
const DEFAULT_WORKERS = Math.max(1, availableParallelism() - 1);

export async function chooseUdp(
  { mode, workers = DEFAULT_WORKERS, ...rest }: UdpChoice,
  log: Log,
  load: () => Promise<Libc> = loadLibc,
): Promise<OpenUdp> {
  if (mode === 'off') return listenUdp;
  try {
    const libc = await load();
    return (address, handle, toLog) => listenBatch(address, handle, toLog, { libc, workers, ...rest });
  } catch (error) {
    if (mode === 'on') throw new Error('listen.batch is on, and it does not work here', { cause: error });
    log.info({ err: error }, 'UDP is answered packet by packet: batches do not work here');
    return listenUdp;
  }
}
