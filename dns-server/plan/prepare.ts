/** Published plan -> prepared plan. Pure; throws with all that is wrong when a part names another that is not there. */
import { InvalidPlan, resourceOf } from '../../contract/plans/invalid-plan.ts';
import type { PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import { compareRevisions } from '../../contract/plans/revision.ts';
import type { RoutingDomain, RoutingNode, RoutingPlan } from '../../contract/plans/routing-plan.ts';
import type { PlanResource } from '../../contract/stream/plan-resource.ts';
import { messageOf } from '../../lib/message-of.ts';
import { buildRegionTable } from '../geo/region-table.ts';
import { TYPE } from '../wire/constants.ts';
import { keyOfName } from '../wire/name.ts';
import { changeNames, claimedBy } from './change-names.ts';
import { buildNames } from './names.ts';
import { prepareAddress } from './prepared-address.ts';
import type { PreparedDomain, PreparedNode, PreparedPlan, PreparedZone } from './prepared-plan.ts';
import { type PreparedSets, preparedSets, prepareShift } from './prepared-sets.ts';
import { seedOf } from './seed.ts';
import { prepareZone, soaOf } from './zone.ts';

/** Of most domains. */
const NO_SHIFTS: PreparedDomain['shifts'] = [];

/** With a plan that was prepared before: what it has in common with that one is taken over. */
export function preparePlan(published: PublishedRoutingPlan, before?: PreparedPlan): PreparedPlan {
  return (before && changePlan(before, published)) ?? prepareWhole(published);
}

function prepareWhole(published: PublishedRoutingPlan): PreparedPlan {
  const { plan, revision } = published;
  refuse(danglingNames(plan));
  const zones = new Map(plan.zones.map((zone) => [keyOfName(zone.name), prepareZone(zone)]));
  const nodes = plan.nodes.map(prepareNode);
  const sets = preparedSets(plan, nodes);
  const domains = plan.domains.map((spec) => prepareDomain(spec, published, zones, sets));
  return {
    published,
    zones,
    sets,
    domains,
    nodes,
    ...buildNames({ zones, domains, nodes, revision }),
    regions: buildRegionTable(plan.regions, plan.defaultRegion),
    mark: Symbol('plan'),
    changed: undefined,
  };
}

/** Where nothing but domains came, went or changed: they cost what they are, however many others there are. */
function changePlan(before: PreparedPlan, published: PublishedRoutingPlan): PreparedPlan | undefined {
  const { plan, revision } = published;
  if (SHARED.some((section) => plan[section] !== before.published.plan[section])) return undefined;
  const { head, tail } = keptEnds(before, published);
  const held = before.domains.slice(head, before.domains.length - tail);
  const rows = plan.domains.slice(head, plan.domains.length - tail);
  const known = new Map(held.map((domain) => [domain.spec, domain]));
  const changed = rows.filter((spec) => !isSame(known.get(spec), published));
  refuse(danglingNames(plan, changed));
  const fresh = new Map(
    changed.map((spec) => [spec, prepareDomain(spec, published, before.zones, before.sets)]),
  );
  const between = rows.flatMap((spec) => fresh.get(spec) ?? known.get(spec) ?? []);
  const kept = new Set(between);
  const gone = held.filter((domain) => !kept.has(domain));
  const domains = before.domains
    .slice(0, head)
    .concat(between, before.domains.slice(before.domains.length - tail));
  const changes = { gone, fresh: [...fresh.values()] };
  const names = changeNames(before, before.zones, changes);
  if (names === undefined) return undefined;
  for (const [key, zone] of before.zones) {
    const apex = names.names.get(key);
    if (apex)
      names.names.set(key, { ...apex, sets: new Map(apex.sets).set(TYPE.SOA, soaOf(zone, revision)) });
  }
  return {
    ...before,
    published,
    domains,
    ...names,
    regions: { ...before.regions, places: undefined },
    mark: Symbol('plan'),
    changed: { since: before.mark, names: claimedBy(changes, before.zones) },
  };
}

/** How many rows at both ends are as they were: what changed stands between them, and the others are not looked at. */
function keptEnds({ domains, published: held }: PreparedPlan, published: PublishedRoutingPlan) {
  const [before, after] = [held.plan.domains, published.plan.domains];
  const sameSince = held.since === published.since;
  const isKept = (old: number, now: number) =>
    before[old] === after[now] && (sameSince || isSame(domains[old], published));
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && isKept(head, head)) head++;
  let tail = 0;
  while (tail < most - head && isKept(before.length - 1 - tail, after.length - 1 - tail)) tail++;
  return { head, tail };
}

/** What every domain may depend on. A delta leaves the very lists that it does not change. */
const SHARED = ['zones', 'nodes', 'candidateSets', 'regions', 'defaultRegion'] as const;

function isSame(domain: PreparedDomain | undefined, { since }: PublishedRoutingPlan): boolean {
  if (domain === undefined) return false;
  const [held, newer] = [domain.since, since[domain.spec.uid]];
  return held === newer || (held !== undefined && newer !== undefined && compareRevisions(held, newer) === 0);
}

function prepareDomain(
  spec: RoutingDomain,
  { since }: PublishedRoutingPlan,
  zones: ReadonlyMap<string, PreparedZone>,
  sets: PreparedSets,
): PreparedDomain {
  const zone = zones.get(keyOfName(spec.zone));
  const set = sets.get(spec.set);
  if (!zone || !set) throw new Error(`domain ${spec.cname} lacks its zone or its candidate set`);
  const label = `${spec.namespace}/${spec.name}`;
  const shifts =
    spec.shifts.length === 0 ? NO_SHIFTS : spec.shifts.map((shift) => prepareShift(shift, set, sets));
  return { spec, label, zone, set, shifts, seed: seedOf(spec.cname), since: since[spec.uid] };
}

function refuse(faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  const message = faults.map((fault) => fault.message).slice(0, 10);
  throw new InvalidPlan(
    `the plan contradicts itself: ${message.join('; ')}`,
    faults.flatMap(({ of }) => of),
  );
}

interface Fault {
  message: string;
  of: PlanResource[];
}

function danglingNames(plan: RoutingPlan, domains = plan.domains): Fault[] {
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
  for (const domain of domains) {
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
    const reason = messageOf(error);
    throw new InvalidPlan(`node ${spec.name}: ${reason}`, resourceOf('nodes', spec));
  }
}
