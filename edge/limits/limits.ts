/** The limits as numbers, and what happens to those who run into one. Pure. */
import { BlockList } from 'node:net';
import type { Limits as LimitSettings } from '../../contract/config/limits.ts';
import { byteSize } from '../../lib/byte-size.ts';
import { durationMs } from '../../lib/duration.ts';

export interface Limits {
  headerBytes: number;
  headerCount: number;
  uriLength: number;
  headerMs: number;
  requestMs: number;
  idleMs: number;
  /** In a window, for one connection; 0: no such limit. */
  leastBytes: number;
  windowMs: number;
  connectionsPerClient: number;
  exempt: BlockList;
  waitersPerObject: number;
  streamsPerConnection: number;
}

/** As `weir_edge_limited_total` names them. */
export type LimitName =
  | 'headerSize'
  | 'headerCount'
  | 'uriLength'
  | 'requestTime'
  | 'handshakeTime'
  | 'minimumRate'
  | 'connectionsPerClient'
  | 'waitersPerObject'
  | 'http2Frames';

export type OnLimit = (limit: LimitName) => void;

/** Connections of a client fall to the workers evenly, and so do those who wait: each has its part of what is counted. */
export function readLimits(settings: LimitSettings, workers = 1): Limits {
  const windowMs = durationMs(settings.minimumRateWindow);
  return {
    headerBytes: byteSize(settings.headerSize),
    headerCount: settings.headerCount,
    uriLength: settings.uriLength,
    headerMs: durationMs(settings.headerTimeout),
    requestMs: durationMs(settings.requestTimeout),
    idleMs: durationMs(settings.idleTimeout),
    leastBytes: (byteSize(settings.minimumRate) * windowMs) / 1_000,
    windowMs,
    connectionsPerClient: Math.ceil(settings.connectionsPerClient / workers),
    exempt: blockList(settings.exempt),
    waitersPerObject: Math.ceil(settings.waitersPerObject / workers),
    streamsPerConnection: settings.streamsPerConnection,
  };
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}
