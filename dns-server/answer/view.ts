/**
 * A view: plan, node table and health of one moment, and the selections made from them so far. Whoever changes one of
 * the three makes a new view and swaps it in by one assignment; answers of one view agree with each other.
 */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain, PreparedPlan } from '../plan/prepared-plan.ts';
import { judge, type Selection, select, tiersFor } from './choose.ts';
import { type Standings, standingsOf } from './standing.ts';

export interface View {
  plan: PreparedPlan;
  standings: Standings;
  /** For a domain, a region of clients and a family: computed at the first query, kept as long as the view. */
  selectionFor(domain: PreparedDomain, region: string, family: Family): Selection;
}

export function createView(plan: PreparedPlan, table: NodeTable, health: HealthReport['nodes']): View {
  const standings = standingsOf(plan.nodes, table, health);
  const selections = new Map<PreparedDomain, Map<string, Selection>>();
  return {
    plan,
    standings,
    selectionFor(domain, region, family) {
      const key = family + region;
      const made = selections.get(domain)?.get(key);
      if (made) return made;
      const selection = select(judge(tiersFor(domain, region), standings, domain, family));
      const ofDomain = selections.get(domain) ?? new Map<string, Selection>();
      selections.set(domain, ofDomain.set(key, selection));
      return selection;
    },
  };
}
