/**
 * The choice of nodes for one client: pure, named steps, walked by answers and explanations alike.
 *
 *     tiers ──judge──> candidates with the gate that each met
 *           ──select──> the first tier that can answer, else all that must
 *           ──pick──> up to `answers` of them, by rendezvous hash over the client's unit
 *           ──addressesOf──> addresses of the family that was asked for
 */
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain, PreparedNode } from '../plan/prepared-plan.ts';
import { type ClosedGate, firstClosed, HARD_GATES, SOFT_GATES } from './gates.ts';
import { type Ranked, rank } from './rendezvous.ts';
import type { AddressStanding, NodeStanding, Standings } from './standing.ts';
import type { ClientTier } from './tiers.ts';

export interface Candidate {
  standing: NodeStanding;
  hard: ClosedGate | undefined;
  soft: ClosedGate | undefined;
}

export interface JudgedTier {
  tier: ClientTier;
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
  /** The tier that the nodes are of; none where all are down. */
  tier: ClientTier | undefined;
  /** Milliseconds until health can change it: a node of the tier goes, or one of a tier before comes back. */
  turnMs: number;
}

export function judge(
  tiers: readonly ClientTier[],
  standings: Standings,
  domain: PreparedDomain,
  family: Family,
): JudgedTier[] {
  return tiers.map((tier) => ({
    tier,
    candidates: tier.nodes.flatMap((node) => {
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
  const usable = tiers.map(({ tier, candidates }) => ({
    tier,
    standings: candidates.filter(({ hard, soft }) => !hard && !soft).map(({ standing }) => standing),
  }));
  // Weight 0 gets nobody while another node can answer, be it one tier further.
  const weighted = usable.map(({ tier, standings }) => ({
    tier,
    standings: standings.filter(({ weight }) => weight > 0),
  }));
  const chosen = [...weighted, ...usable].find(({ standings }) => standings.length > 0);
  const last = chosen === undefined ? tiers.length : tiers.findIndex(({ tier }) => tier === chosen.tier) + 1;
  const turnMs = canChange(tiers) ? soonestTurn(tiers.slice(0, last)) : Number.POSITIVE_INFINITY;
  if (chosen) return { outcome: 'Usable', ...chosen, turnMs };
  const standings = serving(tiers);
  return {
    outcome: standings.length > 0 ? 'AllDown' : 'NotYetReady',
    standings,
    tier: undefined,
    turnMs,
  };
}

/** Where there is one candidate, it is answered be it up or down. */
function canChange(tiers: readonly JudgedTier[]): boolean {
  return serving(tiers).length > 1;
}

function serving(tiers: readonly JudgedTier[]): NodeStanding[] {
  return tiers.flatMap(({ candidates }) =>
    candidates.flatMap(({ hard, standing }) => (hard ? [] : [standing])),
  );
}

function soonestTurn(tiers: readonly JudgedTier[]): number {
  const probed = serving(tiers).filter(({ forced }) => forced === undefined);
  const turns = probed.flatMap(({ addresses }) => addresses.flatMap(({ turnMs }) => turnMs ?? []));
  return Math.min(Number.POSITIVE_INFINITY, ...turns);
}

/** All of them when all are down: a share of the clients each is no use when none is known to work. */
export function pickedOf(outcome: Outcome, answers: number, candidates: number): number {
  return outcome === 'Usable' ? Math.min(answers, candidates) : candidates;
}

export function pick<T extends Ranked>(
  { outcome, standings }: { outcome: Outcome; standings: T[] },
  unit: number,
  answers: number,
): T[] {
  if (standings.length === 1) return standings;
  return rank(standings, unit, pickedOf(outcome, answers, standings.length));
}

/** The picked nodes' addresses of one family: the healthy ones, or all of them when all are down. */
export function addressesOf(
  { outcome }: Selection,
  picked: readonly NodeStanding[],
  family: Family,
): AddressStanding[] {
  const found = new Map<string, AddressStanding>();
  for (const { addresses, forced } of picked) {
    for (const address of addresses) {
      const isUsable = address.healthy || forced === 'Up' || outcome === 'AllDown';
      // RFC 2181 section 5: no record twice. Nodes behind one load balancer have one address.
      if (address.family === family && isUsable && !found.has(address.text)) found.set(address.text, address);
    }
  }
  return [...found.values()];
}

/** Whether two clients can get different answers; where they cannot, one cached answer is good for all. */
export function dependsOnClient(
  { set, shifts }: Pick<PreparedDomain, 'set' | 'shifts'>,
  family: Family,
): boolean {
  const sets = [set, ...shifts.map((shift) => shift.set)];
  return sets.some((each) => each.dividesClients && each.nodes.some((node) => hasFamily(node, family)));
}

function hasFamily({ addresses }: PreparedNode, family: Family): boolean {
  return addresses.some((address) => address.family === family);
}
