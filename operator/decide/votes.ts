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
  /** More than half of the voters see all of its addresses down. */
  isDown(node: string): boolean;
}

export function freshVotes(dnsServers: ReadonlyMap<string, DnsServerState>, now: number): Votes {
  const fresh = [...dnsServers]
    .filter(([, { healthAt }]) => healthAt !== undefined && now - healthAt <= FRESH_MS)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const whole = new Map<string, number>();
  const down = new Map<string, Map<string, string[]>>();
  for (const [voter, { health }] of fresh) {
    for (const { node, addresses } of health) {
      const none = addresses.length > 0 && addresses.every(({ healthy }) => !healthy);
      if (none) whole.set(node, (whole.get(node) ?? 0) + 1);
      for (const { address, healthy } of addresses) {
        if (healthy) continue;
        const ofNode = down.get(node) ?? new Map<string, string[]>();
        down.set(node, ofNode.set(address, [...(ofNode.get(address) ?? []), voter]));
      }
    }
  }
  return {
    voters: fresh.map(([voter]) => voter),
    isDown: (node) => (whole.get(node) ?? 0) * 2 > fresh.length,
    downOf: (node) => {
      const views = down.get(node);
      return views && [...views].map(([address, by]) => ({ address, by }));
    },
  };
}
