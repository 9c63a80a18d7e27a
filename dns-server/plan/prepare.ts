/** Published plan -> prepared plan. Pure; throws with all that is wrong when a part names another that is not there. */
import type { PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import type { RoutingNode, RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { buildRegionTable } from '../geo/region-table.ts';
import { keyOfName } from '../wire/name.ts';
import { buildNames } from './names.ts';
import { prepareAddress } from './prepared-address.ts';
import type { PreparedDomain, PreparedNode, PreparedPlan, PreparedSet } from './prepared-plan.ts';
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
  const sets = prepareSets(plan, nodes);
  const domains = plan.domains.map((spec): PreparedDomain => {
    const zone = zones.get(keyOfName(spec.zone));
    const set = sets.get(spec.set);
    if (!zone || !set) throw new Error(`domain ${spec.cname} lacks its zone or its candidate set`);
    return { spec, label: `${spec.namespace}/${spec.name}`, zone, set, since: published.since[spec.uid] };
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
  need('region', plan.defaultRegion, 'defaultRegion');
  for (const { cname, zone, set } of plan.domains) {
    need('zone', zone, `domain ${cname}`);
    need('candidate set', set, `domain ${cname}`);
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

function prepareSets(
  { candidateSets, regions }: RoutingPlan,
  nodes: readonly PreparedNode[],
): Map<string, PreparedSet> {
  const byName = new Map(nodes.map((node) => [node.spec.name, node]));
  const find = (names: readonly string[]) => names.flatMap((name) => byName.get(name) ?? []);
  return new Map(
    candidateSets.map((set) => {
      const tiersOf = new Map(
        set.regions.map(({ region, tiers }) => [
          region,
          tiers.map((tier) => ({ region: tier.region, nodes: find(tier.nodes) })),
        ]),
      );
      const all = [...new Set([...tiersOf.values()].flat().flatMap((tier) => tier.nodes))];
      const everywhere = regions.every(({ name }) => (tiersOf.get(name)?.length ?? 0) > 0);
      const dividesClients = all.length > 1 || (all.length === 1 && !everywhere);
      return [set.id, { tiersOf, nodes: all, dividesClients }];
    }),
  );
}
