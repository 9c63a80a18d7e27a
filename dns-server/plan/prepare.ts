/** Published plan -> prepared plan. Pure; throws with all that is wrong when a part names another that is not there. */
import { InvalidPlan, resourceOf } from '../../contract/plans/invalid-plan.ts';
import type { PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import type { RoutingNode, RoutingPlan } from '../../contract/plans/routing-plan.ts';
import type { PlanResource } from '../../contract/stream/plan-resource.ts';
import { buildRegionTable } from '../geo/region-table.ts';
import { keyOfName } from '../wire/name.ts';
import { buildNames } from './names.ts';
import { prepareAddress } from './prepared-address.ts';
import type { PreparedDomain, PreparedNode, PreparedPlan } from './prepared-plan.ts';
import { preparedSets, prepareShift } from './prepared-sets.ts';
import { seedOf } from './seed.ts';
import { prepareZone } from './zone.ts';

/** Of most domains. */
const NO_SHIFTS: PreparedDomain['shifts'] = [];

export function preparePlan(published: PublishedRoutingPlan): PreparedPlan {
  const { plan } = published;
  const faults = danglingNames(plan);
  if (faults.length > 0) {
    const message = faults.map((fault) => fault.message).slice(0, 10);
    throw new InvalidPlan(
      `the plan contradicts itself: ${message.join('; ')}`,
      faults.flatMap(({ of }) => of),
    );
  }
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
    const shifts =
      spec.shifts.length === 0 ? NO_SHIFTS : spec.shifts.map((shift) => prepareShift(shift, set, sets));
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

interface Fault {
  message: string;
  of: PlanResource[];
}

function danglingNames(plan: RoutingPlan): Fault[] {
  const known = {
    node: new Set(plan.nodes.map(({ name }) => name)),
    region: new Set(plan.regions.map(({ name }) => name)),
    zone: new Set(plan.zones.map(({ name }) => name)),
    'candidate set': new Set(plan.candidateSets.map(({ id }) => id)),
  };
  const faults: Fault[] = [];
  const need = (kind: keyof typeof known, name: string, where: string, of: PlanResource[] = []) => {
    if (known[kind].has(name)) return;
    faults.push({ message: `${where} names the ${kind} ${name}, which is not in it`, of });
  };
  if (plan.regions.length > 0) need('region', plan.defaultRegion, 'defaultRegion');
  for (const domain of plan.domains) {
    const { cname, zone, set, shifts } = domain;
    const of = resourceOf('domains', domain);
    need('zone', zone, `domain ${cname}`, of);
    for (const id of [set, ...shifts.map((shift) => shift.set)])
      need('candidate set', id, `domain ${cname}`, of);
  }
  for (const { id, regions } of plan.candidateSets) {
    for (const { tiers } of regions) {
      for (const node of tiers.flatMap(({ nodes }) => nodes)) need('node', node, `candidate set ${id}`);
    }
  }
  return faults;
}

function prepareNode(spec: RoutingNode): PreparedNode {
  try {
    return { spec, addresses: spec.addresses.map(prepareAddress), seed: seedOf(spec.name) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidPlan(`node ${spec.name}: ${reason}`, resourceOf('nodes', spec));
  }
}
