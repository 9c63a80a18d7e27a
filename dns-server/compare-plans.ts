/**
 * What a change of the manifests would move, for `weir what-if`: the effects around answer/compare.ts. Nodes are as
 * they are now; those that are new count as ready, and every domain as served by all.
 */
import type { NodeTable } from '../contract/plans/node-table.ts';
import { type PublishedRoutingPlan, planDigest } from '../contract/plans/published-plan.ts';
import { NO_REVISION } from '../contract/plans/revision.ts';
import type { RoutingPlan } from '../contract/plans/routing-plan.ts';
import type { HealthReport } from '../contract/stream/messages.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import { type AskedQuery, type Comparison, compareViews } from './answer/compare.ts';
import { createView, type View } from './answer/view.ts';
import { type GeoFileChoice, placed } from './explain-domain.ts';
import { compiledPlaces, compileGeo, exactPlaces } from './geo/compile.ts';
import { geoDatabase } from './geo/geo-database.ts';
import type { GeoData, GeoRules } from './geo/geo-sources.ts';
import type { Places } from './geo/region-table.ts';
import { preparePlan } from './plan/prepare.ts';

export interface CompareRequest extends GeoFileChoice {
  before: RoutingPlan;
  after: RoutingPlan;
  table: NodeTable;
  health: HealthReport['nodes'];
  /** Milliseconds since the epoch. */
  now: number;
  queries: readonly AskedQuery[];
}

export { NOBODY } from './answer/compare.ts';
export type { AskedQuery, Comparison };

/** Compiling takes seconds, placing a client without it tens of milliseconds. */
const MAX_WITHOUT_TABLES = 100;

export async function comparePlans(request: CompareRequest): Promise<Comparison> {
  const few = request.queries.length <= MAX_WITHOUT_TABLES;
  // Once where both plans have the same regions.
  const compiled = new Map<string, Places>();
  const placesOf = (data: GeoData, rules: GeoRules): Places => {
    const key = canonicalJson(rules);
    const made = () => (few ? exactPlaces(data, rules) : compiledPlaces(compileGeo(data, rules)));
    const places = compiled.get(key) ?? made();
    compiled.set(key, places);
    return places;
  };
  const viewOf = async (plan: RoutingPlan): Promise<View> => {
    const prepared = await placed(preparePlan(served(plan)), request, placesOf);
    return createView(prepared, settled(request.table, plan), request.health, request.now);
  };
  const [before, after] = [await viewOf(request.before), await viewOf(request.after)];
  // Both plans have compiled places, which know all that geo databases do.
  return compareViews(before, after, geoDatabase([]), request.queries);
}

function served(plan: RoutingPlan): PublishedRoutingPlan {
  const since = Object.fromEntries(plan.domains.map(({ uid }) => [uid, NO_REVISION]));
  return { revision: NO_REVISION, digest: planDigest(plan), run: 'what-if', plan, since };
}

function settled(table: NodeTable, { nodes }: RoutingPlan): NodeTable {
  const known = new Set(table.rows.map(({ node }) => node));
  const fresh = nodes.filter(({ name }) => !known.has(name));
  const rows = fresh.map(({ name }) => ({ node: name, acked: NO_REVISION, admitted: true, reason: '' }));
  return { ...table, rows: [...table.rows, ...rows] };
}
