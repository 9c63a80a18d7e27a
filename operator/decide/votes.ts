/**
 * Health votes: what dns-servers see, gathered for all of them. A view counts while it is fresh; each dns-server
 * tells its own at least every ten seconds. Pure.
 */
import type { NodeRow } from '../../contract/plans/node-table.ts';
import type { DnsServerState } from './state.ts';

const FRESH_MS = 30_000;

export interface Votes {
  /** Sorted. */
  voters: string[];
  /** The row's part for a node; nothing while nobody sees it down. */
  downOf(node: string): NodeRow['down'];
}

export function freshVotes(dnsServers: ReadonlyMap<string, DnsServerState>, now: number): Votes {
  const fresh = [...dnsServers]
    .filter(([, { healthAt }]) => healthAt !== undefined && now - healthAt <= FRESH_MS)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const down = new Map<string, Map<string, string[]>>();
  for (const [voter, { health }] of fresh) {
    for (const { node, addresses } of health) {
      for (const { address, healthy } of addresses) {
        if (healthy) continue;
        const ofNode = down.get(node) ?? new Map<string, string[]>();
        down.set(node, ofNode.set(address, [...(ofNode.get(address) ?? []), voter]));
      }
    }
  }
  return {
    voters: fresh.map(([voter]) => voter),
    downOf: (node) => [...(down.get(node) ?? [])].map(([address, by]) => ({ address, by })),
  };
}
