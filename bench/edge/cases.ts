/** What is measured: a request, the connections that repeat it, and what the project asks of itself. */

export interface Case {
  name: string;
  path: string;
  /** For wrk: a script that makes each path another one, or the first of each connection. */
  unique?: 'all' | 'first';
  headers?: Record<string, string>;
  connections: number;
  /** Half of what it came to is the rate at which answers are timed (steady.ts). */
  isForRate?: true;
  /** Over TLS, and what of it is measured: requests (wrk, h2load) or handshakes. Absent: plain HTTP. */
  over?: 'https' | 'h2' | 'full' | 'resumed' | 'resumed 1.2';
  /** Which of our edges takes part: one with room in memory for all of it, or one that has to read its disk. */
  tier: 'memory' | 'disk';
  /** Hits per CPU second against nginx, at least. */
  wanted: number;
}

/** `/64k` is 64 KiB. The origin makes any size, whatever follows it. */
export const CASES: readonly Case[] = [
  { name: '1 KB, memory', path: '/1k', connections: 64, isForRate: true, tier: 'memory', wanted: 1.2 },
  { name: '1 KB, after a miss', path: '/1k', unique: 'first', connections: 64, tier: 'memory', wanted: 1.2 },
  { name: '64 KB, memory', path: '/64k', connections: 64, tier: 'memory', wanted: 1.1 },
  { name: '10 MB, memory', path: '/10m', connections: 16, tier: 'memory', wanted: 0.9 },
  { name: '10 MB, disk tier', path: '/10m', connections: 16, tier: 'disk', wanted: 0.6 },
  {
    name: '1 MB of 1 GB, disk tier',
    path: '/1g',
    headers: { Range: 'bytes=500000000-501048575' },
    connections: 16,
    tier: 'disk',
    wanted: 0.8,
  },
  {
    name: '1 MB of 1 GB in slices, disk tier',
    path: '/1g/sliced',
    headers: { Range: 'bytes=500000000-501048575' },
    connections: 16,
    tier: 'disk',
    // Beside nginx, which has it whole.
    wanted: 0.8,
  },
  { name: '64 KB, miss', path: '/64k', unique: 'all', connections: 64, tier: 'memory', wanted: 0.5 },
  { name: '64 KB, TLS 1.3', path: '/64k', over: 'https', connections: 64, tier: 'memory', wanted: 1.1 },
  { name: 'full handshake', path: '/1k', over: 'full', connections: 1, tier: 'memory', wanted: 0.7 },
  {
    name: 'resumed handshake, TLS 1.3',
    path: '/1k',
    over: 'resumed',
    connections: 4,
    tier: 'memory',
    wanted: 0.8,
  },
  {
    name: 'resumed handshake, TLS 1.2',
    path: '/1k',
    over: 'resumed 1.2',
    connections: 1,
    tier: 'memory',
    wanted: 0.8,
  },
  { name: '1 KB, HTTP/2', path: '/1k', over: 'h2', connections: 1, tier: 'memory', wanted: 0.7 },
  { name: '64 KB, HTTP/2', path: '/64k', over: 'h2', connections: 1, tier: 'memory', wanted: 0.7 },
];

/** Bytes of `/64k`, `/10m/1`. */
export function sizeOfPath(path: string): number {
  const [, count, unit = ''] = /^\/(\d+)([kmg])/.exec(path) ?? [];
  return Number(count ?? 0) * (UNITS[unit] ?? 1);
}

const UNITS: Record<string, number> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };
