/**
 * A view: plan, node table and health of one moment, and the selections made from them so far. Whoever changes one of
 * the three makes a new view and swaps it in by one assignment; answers of one view agree with each other.
 *
 *     domain ──cohortOf──> cohort: same candidates, same nodes that serve it ──(region, family)──> selection
 */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import { compareRevisions, type Revision } from '../../contract/plans/revision.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain, PreparedPlan, PreparedSet } from '../plan/prepared-plan.ts';
import { judge, type Selection, select, tiersFor } from './choose.ts';
import { type Standings, standingsOf } from './standing.ts';

/**
 * Domains that every gate treats alike. Ten thousand domains have few candidate sets, and a set as many cohorts as
 * its nodes acked different plans: a change of health costs that many selections, not one for each domain.
 */
export interface Cohort {
  selections: Map<string, Selection>;
}

export interface View {
  plan: PreparedPlan;
  standings: Standings;
  cohortOf(domain: PreparedDomain): Cohort;
  /** For a domain, a region of clients and a family: computed when it is first asked for, kept as long as the view. */
  selectionFor(domain: PreparedDomain, region: string, family: Family): Selection;
}

export function createView(plan: PreparedPlan, table: NodeTable, health: HealthReport['nodes']): View {
  const standings = standingsOf(plan.nodes, table, health);
  const cohorts = cohortsOf(plan.domains, standings);
  const cohortOf = (domain: PreparedDomain) => cohorts.get(domain) ?? { selections: new Map() };
  return {
    plan,
    standings,
    cohortOf,
    selectionFor(domain, region, family) {
      const { selections } = cohortOf(domain);
      const key = family + region;
      const made = selections.get(key);
      if (made) return made;
      const selection = select(judge(tiersFor(domain, region), standings, domain, family));
      selections.set(key, selection);
      return selection;
    },
  };
}

function cohortsOf(
  domains: readonly PreparedDomain[],
  standings: Standings,
): ReadonlyMap<PreparedDomain, Cohort> {
  const ackedOf = new Map<PreparedSet, Revision[]>();
  const shared = new Map<PreparedSet, Map<number, Cohort>>();
  return new Map(
    domains.map((domain) => {
      const { set, since } = domain;
      const acked = ackedOf.get(set) ?? ackedRevisions(set, standings);
      ackedOf.set(set, acked);
      const ofSet = shared.get(set) ?? new Map<number, Cohort>();
      shared.set(set, ofSet);
      // How many nodes lag behind tells which: those that acked least.
      const lagging = since === undefined ? -1 : countBelow(acked, since);
      const cohort = ofSet.get(lagging) ?? { selections: new Map() };
      ofSet.set(lagging, cohort);
      return [domain, cohort];
    }),
  );
}

/** What the set's nodes acked, lowest first; those that acked nothing serve no domain, whatever its `since`. */
function ackedRevisions({ nodes }: PreparedSet, standings: Standings): Revision[] {
  return nodes.flatMap((node) => standings.get(node)?.row?.acked ?? []).sort(compareRevisions);
}

function countBelow(sorted: readonly Revision[], limit: Revision): number {
  const first = sorted.findIndex((revision) => compareRevisions(revision, limit) >= 0);
  return first < 0 ? sorted.length : first;
}
