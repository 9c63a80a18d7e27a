/**
 * Candidate sets with their nodes in place of names. A shift's set is its own tiers followed by the domain's, so that
 * what was moved falls back on what was there; it is made once for all domains that combine the same two. Pure.
 */
import type { RoutingPlan, Shift } from '../../contract/plans/routing-plan.ts';
import type { PreparedNode, PreparedSet, PreparedShift, PreparedTier } from './prepared-plan.ts';

export interface PreparedSets {
  get(id: string): PreparedSet | undefined;
  /** The first one's tiers, then the second's. */
  combined(first: string, second: PreparedSet): PreparedSet | undefined;
}

export function preparedSets(
  { candidateSets, regions }: RoutingPlan,
  nodes: readonly PreparedNode[],
): PreparedSets {
  const byName = new Map(nodes.map((node) => [node.spec.name, node]));
  const find = (names: readonly string[]) => names.flatMap((name) => byName.get(name) ?? []);
  const regionNames = regions.map(({ name }) => name);
  const sets = new Map(
    candidateSets.map((set) => {
      const tiersOf = new Map(
        set.regions.map(({ region, tiers }) => [
          region,
          tiers.map((tier): PreparedTier => ({ ...tier, nodes: find(tier.nodes) })),
        ]),
      );
      return [set.id, setOf(tiersOf, regionNames)];
    }),
  );
  const made = new Map<PreparedSet, Map<PreparedSet, PreparedSet>>();
  return {
    get: (id) => sets.get(id),
    combined(id, second) {
      const first = sets.get(id);
      if (first === undefined) return undefined;
      const ofFirst = made.get(first) ?? new Map<PreparedSet, PreparedSet>();
      made.set(first, ofFirst);
      const set = ofFirst.get(second) ?? setOf(inTurn(first, second), regionNames);
      ofFirst.set(second, set);
      return set;
    },
  };
}

export function prepareShift(shift: Shift, ordinary: PreparedSet, sets: PreparedSets): PreparedShift {
  const set = sets.combined(shift.set, ordinary);
  if (set === undefined) throw new Error(`a shift lacks its candidate set ${shift.set}`);
  const { start, percent, from, until } = shift;
  return { set, start: start / 100, end: (start + percent) / 100, from, until };
}

function inTurn(first: PreparedSet, second: PreparedSet): Map<string, PreparedTier[]> {
  const regions = new Set([...first.tiersOf.keys(), ...second.tiersOf.keys()]);
  return new Map(
    [...regions].map((region) => {
      const before = first.tiersOf.get(region) ?? [];
      const taken = new Set(before.flatMap(({ nodes }) => nodes));
      const after = (second.tiersOf.get(region) ?? []).flatMap((tier): PreparedTier[] => {
        const nodes = tier.nodes.filter((node) => !taken.has(node));
        return nodes.length === 0 ? [] : [{ ...tier, nodes }];
      });
      return [region, [...before, ...after]];
    }),
  );
}

function setOf(tiersOf: Map<string, PreparedTier[]>, regions: readonly string[]): PreparedSet {
  const nodes = [...new Set([...tiersOf.values()].flat().flatMap((tier) => tier.nodes))];
  const everywhere = regions.every((name) => (tiersOf.get(name)?.length ?? 0) > 0);
  const isps = new Set(nodes.flatMap(({ spec }) => spec.isps));
  return {
    tiersOf,
    nodes,
    dividesClients: nodes.length > 1 || (nodes.length === 1 && !everywhere),
    isps,
  };
}
