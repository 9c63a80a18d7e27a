/**
 * A view: plan, node table, health and time of one moment, and the selections made from them so far. Whoever changes
 * one of them makes a new view and swaps it in by one assignment; answers of one view agree with each other.
 *
 *     domain ──shift──> set ──cohort──> same candidates, same nodes that serve it ──(client's tiers, family)──> selection
 */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import { compareRevisions, type Revision } from '../../contract/plans/revision.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain, PreparedPlan, PreparedSet, PreparedShift } from '../plan/prepared-plan.ts';
import { judge, type Selection, select } from './choose.ts';
import { shiftsInForce } from './shift.ts';
import { type Standings, standingsOf } from './standing.ts';
import { tiersFor, tiersKey, type Whereabouts } from './tiers.ts';

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
  /** Milliseconds since the epoch: when it was made. */
  now: number;
  shiftsOf(domain: PreparedDomain): readonly PreparedShift[];
  cohortOf(domain: PreparedDomain, set: PreparedSet): Cohort;
  /** Of a domain's set, for a client and a family: computed when it is first asked for, kept as long as the view. */
  selectionFor(domain: PreparedDomain, set: PreparedSet, client: Whereabouts, family: Family): Selection;
}

const NO_SHIFTS: readonly PreparedShift[] = [];

export function createView(
  plan: PreparedPlan,
  table: NodeTable,
  health: HealthReport['nodes'],
  now = 0,
): View {
  const standings = standingsOf(plan.nodes, table, health, now);
  const shifts = new Map(
    plan.domains.flatMap((domain): [PreparedDomain, PreparedShift[]][] => {
      const inForce = domain.shifts.length === 0 ? [] : shiftsInForce(domain, now);
      return inForce.length === 0 ? [] : [[domain, inForce]];
    }),
  );
  const cohortOf = cohorts(standings);
  return {
    plan,
    standings,
    now,
    shiftsOf: (domain) => shifts.get(domain) ?? NO_SHIFTS,
    cohortOf,
    selectionFor(domain, set, client, family) {
      const { selections } = cohortOf(domain, set);
      const key = `${family} ${tiersKey(set, client)}`;
      const made = selections.get(key);
      if (made) return made;
      const selection = select(judge(tiersFor(set, client), standings, domain, family));
      selections.set(key, selection);
      return selection;
    },
  };
}

/** Cohorts are found when they are first asked for, and remembered by set and `since`: of both there are few. */
function cohorts(standings: Standings): View['cohortOf'] {
  const ackedOf = new Map<PreparedSet, Revision[]>();
  const shared = new Map<PreparedSet, Map<number, Cohort>>();
  const known = new Map<PreparedSet, Map<number, Cohort>>();
  const ofSet = <K, V>(maps: Map<PreparedSet, Map<K, V>>, set: PreparedSet): Map<K, V> => {
    const map = maps.get(set) ?? new Map<K, V>();
    maps.set(set, map);
    return map;
  };
  return (domain, set) => {
    const remembered = ofSet(known, set);
    const since = placeInTime(domain.since);
    const found = remembered.get(since);
    if (found) return found;
    const acked = ackedOf.get(set) ?? ackedRevisions(set, standings);
    ackedOf.set(set, acked);
    // How many nodes lag behind tells which: those that acked least.
    const lagging = domain.since === undefined ? -1 : countBelow(acked, domain.since);
    const cohort = ofSet(shared, set).get(lagging) ?? { selections: new Map() };
    ofSet(shared, set).set(lagging, cohort);
    remembered.set(since, cohort);
    return cohort;
  };
}

/** One number for each revision: neither an epoch nor what is published in one comes near what a number can tell apart. */
function placeInTime(since: Revision | undefined): number {
  return since === undefined ? -1 : since.epoch * 2 ** 32 + since.seq;
}

/** What the set's nodes acked, lowest first; those that acked nothing serve no domain, whatever its `since`. */
function ackedRevisions({ nodes }: PreparedSet, standings: Standings): Revision[] {
  return nodes.flatMap((node) => standings.get(node)?.row?.acked ?? []).sort(compareRevisions);
}

function countBelow(sorted: readonly Revision[], limit: Revision): number {
  const first = sorted.findIndex((revision) => compareRevisions(revision, limit) >= 0);
  return first < 0 ? sorted.length : first;
}
