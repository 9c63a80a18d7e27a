/** Published plan -> prepared plan. Pure; throws with all that is wrong when a part names another that is not there. */
import type { PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import type { RoutingNode, RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { buildRegionTable } from '../geo/region-table.ts';
import { keyOfName } from '../wire/name.ts';
import { buildNames } from './names.ts';
import { prepareAddress } from './prepared-address.ts';
import type { PreparedDomain, PreparedNode, PreparedPlan } from './prepared-plan.ts';
import { preparedSets, prepareShift } from './prepared-sets.ts';
import { seedOf } from './seed.ts';
import { prepareZone } from './zone.ts';

export function preparePlan(published: PublishedRoutingPlan): PreparedPlan {
  const { plan } = published;
  const faults = danglingNames(plan);
  if (faults.length > 0) throw new Error(`the plan contradicts itself: ${faults.slice(0, 10).join('; ')}`);
  const zones = new Map(
    plan.zones.map((zone) => [keyOfName(zone.name), prepareZone(zone, published.revision)]),
  );
  const nodes = plan.nodes.map(prepareNode);
  const sets = preparedSets(plan, nodes);
  const domains = plan.domains.map((spec): PreparedDomain => {
    const zone = zones.get(keyOfName(spec.zone));
    const set = sets.get(spec.set);
    if (!zone || !set) throw new Error(`domain ${spec.cname} lacks its zone or its candidate set`);
    const label = `${spec.namespace}/${spec.name}`;
    const shifts = spec.shifts.map((shift) => prepareShift(shift, set, sets));
    return { spec, label, zone, set, shifts, seed: seedOf(spec.cname), since: published.since[spec.uid] };
  });
  return {
    published,
    zones,
    domains,
    nodes,
    names: buildNames(zones, domains, nodes),
    regions: buildRegionTable(plan.regions, plan.defaultRegion),
  };
}

function danglingNames(plan: RoutingPlan): string[] {
  const known = {
    node: new Set(plan.nodes.map(({ name }) => name)),
    region: new Set(plan.regions.map(({ name }) => name)),
    zone: new Set(plan.zones.map(({ name }) => name)),
    'candidate set': new Set(plan.candidateSets.map(({ id }) => id)),
  };
  const faults: string[] = [];
  const need = (kind: keyof typeof known, name: string, where: string) => {
    if (!known[kind].has(name)) faults.push(`${where} names the ${kind} ${name}, which is not in it`);
  };
  if (plan.regions.length > 0) need('region', plan.defaultRegion, 'defaultRegion');
  for (const { cname, zone, set, shifts } of plan.domains) {
    need('zone', zone, `domain ${cname}`);
    for (const id of [set, ...shifts.map((shift) => shift.set)]) need('candidate set', id, `domain ${cname}`);
  }
  for (const { id, regions } of plan.candidateSets) {
    for (const { tiers } of regions) {
      for (const node of tiers.flatMap(({ nodes }) => nodes)) need('node', node, `candidate set ${id}`);
    }
  }
  return faults;
}

function prepareNode(spec: RoutingNode): PreparedNode {
  return { spec, addresses: spec.addresses.map(prepareAddress), seed: seedOf(spec.name) };
}
