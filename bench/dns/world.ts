/**
 * What all servers of the benchmark serve: names of one zone, five regions that share IPv4 by its first four bits, and
 * two nodes in each. The addresses are loopback ones, so that probes find them up.
 */
export const ZONE = 'cdn.example.net';
export const NS = `ns1.${ZONE}`;
export const REGIONS = ['r0', 'r1', 'r2', 'r3', 'r4'] as const;
export const TTL = 60;

export interface World {
  /** `d7.demo.cdn.example.net` */
  names: string[];
  nodesPerRegion: number;
  signed: boolean;
}

export function worldOf(
  domains: number,
  { nodesPerRegion = 2, signed = false }: { nodesPerRegion?: number; signed?: boolean } = {},
): World {
  const names = Array.from({ length: domains }, (_, index) => `d${index}.demo.${ZONE}`);
  return { names, nodesPerRegion, signed };
}

/** The networks of a region: `16.0.0.0/4`. */
export function networksOf(region: number): string[] {
  const sixteenths = Array.from({ length: 16 }, (_, index) => index);
  return sixteenths
    .filter((index) => index % REGIONS.length === region)
    .map((index) => `${index * 16}.0.0.0/4`);
}

export function addressesOf(region: number, nodes = 2): string[] {
  return Array.from({ length: nodes }, (_, node) => `127.1.${region}.${node + 1}`);
}
