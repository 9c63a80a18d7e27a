/** Clients to try a folder with: an address that one of its regions claims, and an edge that serves that region. Pure. */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { LocalEdge } from './programs.ts';

interface SampleClient {
  address: string;
  country: string;
  subdivision: string;
}

/** Resolvers of large networks, whose place every geo database knows. */
const KNOWN: readonly SampleClient[] = [
  { address: '202.102.224.68', country: 'CN', subdivision: 'CN-HA' },
  { address: '202.106.0.20', country: 'CN', subdivision: 'CN-BJ' },
  { address: '8.8.8.8', country: 'US', subdivision: 'US-CA' },
  { address: '80.67.169.12', country: 'FR', subdivision: 'FR-IDF' },
];

export interface Trial {
  client: string;
  /** The edge that this client is likely sent to. */
  edge: LocalEdge | undefined;
}

export function trialFor({ regions, defaultRegion }: WeirConfig, edges: readonly LocalEdge[]): Trial {
  const edgeOf = (region: string | undefined) =>
    edges.find((edge) => region !== undefined && edge.region === region);
  for (const { address, country, subdivision } of KNOWN) {
    const region =
      regions.find(({ members }) => members.subdivisions.includes(subdivision)) ??
      regions.find(({ members }) => members.countries.includes(country));
    const edge = region && edgeOf(region.name);
    if (edge) return { client: address, edge };
  }
  for (const { name, members } of regions) {
    const network = members.cidrs.find((cidr) => cidr.includes('.'))?.split('/')[0];
    const edge = edgeOf(name);
    if (network !== undefined && edge) return { client: network, edge };
  }
  return { client: '8.8.8.8', edge: edgeOf(defaultRegion ?? '') ?? edges[0] };
}
