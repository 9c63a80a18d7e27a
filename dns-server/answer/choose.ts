/**
 * The choice of nodes for one client: pure, named steps, walked by answers and explanations alike.
 *
 *     tiers ──judge──> candidates with the gate that each met
 *           ──select──> the first tier that can answer, else all that must
 *           ──pick──> up to `answers` of them, by rendezvous hash over the client's unit
 *           ──addressesOf──> addresses of the family that was asked for
 */
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain, PreparedNode, PreparedTier } from '../plan/prepared-plan.ts';
import { type ClosedGate, firstClosed, HARD_GATES, SOFT_GATES } from './gates.ts';
import { rank } from './rendezvous.ts';
import type { AddressStanding, NodeStanding, Standings } from './standing.ts';

export interface Candidate {
  standing: NodeStanding;
  hard: ClosedGate | undefined;
  soft: ClosedGate | undefined;
}

export interface JudgedTier {
  region: string;
  candidates: Candidate[];
}

export type Outcome =
  /** Nodes of one tier that pass every gate. */
  | 'Usable'
  /** No node passes the soft gates: all are answered rather than none. */
  | 'AllDown'
  /** No node serves the domain yet. */
  | 'NotYetReady';

export interface Selection {
  outcome: Outcome;
  standings: NodeStanding[];
}

export function judge(
  tiers: readonly PreparedTier[],
  standings: Standings,
  domain: PreparedDomain,
  family: Family,
): JudgedTier[] {
  return tiers.map(({ region, nodes }) => ({
    region,
    candidates: nodes.flatMap((node) => {
      const standing = standings.get(node);
      if (standing === undefined) return [];
      return {
        standing,
        hard: firstClosed(HARD_GATES, standing, domain, family),
        soft: firstClosed(SOFT_GATES, standing, domain, family),
      };
    }),
  }));
}

export function select(tiers: readonly JudgedTier[]): Selection {
  const usable = tiers.map(({ candidates }) => candidates.filter(({ hard, soft }) => !hard && !soft));
  // Weight 0 gets nobody while another node can answer, be it one tier further.
  const weighted = usable.map((tier) => tier.filter(({ standing }) => standing.node.spec.weight > 0));
  const chosen = [...weighted, ...usable].find((tier) => tier.length > 0);
  if (chosen) return { outcome: 'Usable', standings: chosen.map(({ standing }) => standing) };
  const serving = tiers.flatMap(({ candidates }) => candidates.filter(({ hard }) => !hard));
  return {
    outcome: serving.length > 0 ? 'AllDown' : 'NotYetReady',
    standings: serving.map(({ standing }) => standing),
  };
}

/** All of them when all are down: a share of the clients each is no use when none is known to work. */
export function pick({ outcome, standings }: Selection, unit: number, answers: number): NodeStanding[] {
  if (standings.length === 1) return standings;
  const ranked = rank(standings, unit);
  return outcome === 'Usable' ? ranked.slice(0, answers) : ranked;
}

/** The picked nodes' addresses of one family: the healthy ones, or all of them when all are down. */
export function addressesOf(
  { outcome }: Selection,
  picked: readonly NodeStanding[],
  family: Family,
): AddressStanding[] {
  return picked.flatMap(({ addresses }) =>
    addresses.filter((address) => address.family === family && (address.healthy || outcome === 'AllDown')),
  );
}

/** The tiers for a region's clients. */
export function tiersFor({ set }: PreparedDomain, region: string): readonly PreparedTier[] {
  return set.tiersOf.get(region) ?? [];
}

/** Whether two clients can get different answers; where they cannot, one cached answer is good for all. */
export function dependsOnClient({ set }: PreparedDomain, family: Family): boolean {
  return set.dividesClients && set.nodes.some((node) => hasFamily(node, family));
}

function hasFamily({ addresses }: PreparedNode, family: Family): boolean {
  return addresses.some((address) => address.family === family);
}
