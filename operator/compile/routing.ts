/** Snapshot and settings -> what dns-servers need. Pure. */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { Routing } from '../../contract/kinds/cdn-domain.ts';
import type { CdnDomain, EdgeNode } from '../../contract/kinds/kinds.ts';
import {
  NO_REGION,
  type RoutingDomain,
  type RoutingNode,
  type RoutingPlan,
  type Shift,
} from '../../contract/plans/routing-plan.ts';
import { changedPlaces } from '../../lib/changed-places.ts';
import { durationMs, durationSeconds } from '../../lib/duration.ts';
import { memo } from '../../lib/memo.ts';
import { hostnamesOf } from '../admit/hostnames.ts';
import { intervalStarts } from '../admit/shifts.ts';
import type { Snapshot } from '../admit/snapshot.ts';
import type { Challenges } from '../certificates/holdings.ts';
import { type CandidateSets, candidateSets } from './candidates.ts';
import { routingRateLimit, routingZone, withChallenges } from './zone.ts';

export function compileRouting(
  { domains, nodes }: Snapshot,
  config: WeirConfig,
  txt: Challenges['txt'] = [],
): RoutingPlan {
  const settings = settingsOf(config);
  const zones = withChallenges(settings.zones, txt);
  return { ...settings, zones, ...routingRows(domains, nodes, config) };
}

type Rows = Pick<RoutingPlan, 'nodes' | 'candidateSets' | 'domains'>;

/** What was compiled last, of what. */
let last: (Omit<Snapshot, 'jobs' | 'certificates'> & { config: WeirConfig; rows: Rows }) | undefined;

function routingRows(domains: CdnDomain[], nodes: EdgeNode[], config: WeirConfig): Rows {
  const sets = candidateSets(nodes, config);
  const rows = editedRows(domains, nodes, config, sets) ?? allRows(domains, nodes, config, sets);
  last = { domains, nodes, config, rows };
  return rows;
}

function allRows(domains: CdnDomain[], nodes: EdgeNode[], config: WeirConfig, sets: CandidateSets): Rows {
  const rows = domains.map((domain) => routingDomain(domain, zoneOf(config), sets));
  return { nodes: nodes.map(routingNode), candidateSets: sets.all(), domains: rows };
}

/** Of domains that are those before but for some: these alone, as long as each leads where it led. */
function editedRows(
  domains: CdnDomain[],
  nodes: EdgeNode[],
  config: WeirConfig,
  sets: CandidateSets,
): Rows | undefined {
  if (last?.config !== config || changedPlaces(last.nodes, nodes)?.length !== 0) return undefined;
  const places = changedPlaces(last.domains, domains);
  if (!places) return undefined;
  const rows = [...last.rows.domains];
  for (const place of places) {
    const [domain, before] = [domains[place], rows[place]];
    if (!domain || !before) return undefined;
    const row = routingDomain(domain, zoneOf(config), sets);
    if (row.set !== before.set || row.shifts.length + before.shifts.length > 0) return undefined;
    rows[place] = row;
  }
  return { ...last.rows, domains: rows };
}

const zoneOf = ({ zones }: WeirConfig) => zones[0]?.name ?? '';

/** What stands in weir.yaml alone: the very same while that stays. */
const settingsOf = memo((config: WeirConfig) => ({
  zones: config.zones.map(routingZone),
  rateLimit: routingRateLimit(config.rateLimit),
  regions: config.regions
    .map(({ name, members: { countries, subdivisions, asns, cidrs } }) => ({
      name,
      countries: [...countries].sort(),
      subdivisions: [...subdivisions].sort(),
      asns: [...asns].sort((a, b) => a - b),
      cidrs: [...cidrs].sort(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1)),
  defaultRegion: config.defaultRegion ?? NO_REGION,
}));

/** The row of a domain as it was made last; the very same while the domain and where it leads stay. */
const lastRows = new WeakMap<CdnDomain, RoutingDomain>();

function routingDomain(domain: CdnDomain, defaultZone: string, sets: CandidateSets): RoutingDomain {
  const before = lastRows.get(domain);
  const set = sets.idFor(domain.spec.routing);
  const shifts = routingShifts(domain.spec.routing, sets);
  const sameShifts = before?.shifts.every((shift, index) => shift.set === shifts[index]?.set);
  if (before && before.set === set && sameShifts && before.zone === (domain.spec.zone ?? defaultZone))
    return before;
  const row = { ...routingRow(domain, defaultZone), set, shifts };
  lastRows.set(domain, row);
  return row;
}

function routingRow(domain: CdnDomain, defaultZone: string): Omit<RoutingDomain, 'set' | 'shifts'> {
  const { metadata, spec } = domain;
  const { uid, namespace, name } = metadata;
  const zone = spec.zone ?? defaultZone;
  const { policy, ttl, answers } = spec.routing;
  return {
    uid,
    namespace,
    name,
    hostnames: hostnamesOf(domain),
    cname: cnameOf(domain, defaultZone),
    zone,
    policy,
    ttl: durationSeconds(ttl),
    minTtl: minTtlOf(spec.routing),
    answers,
  };
}

/** Half of the TTL, as in gdnsd. */
function minTtlOf({ ttl, minTtl }: Routing): number {
  return minTtl === undefined ? Math.ceil(durationSeconds(ttl) / 2) : durationSeconds(minTtl);
}

function routingShifts(routing: Routing, sets: CandidateSets): Shift[] {
  const { shifts = [] } = routing;
  const starts = intervalStarts(shifts);
  return shifts.flatMap(({ nodes, percent, from, until }, index) => {
    const start = starts[index];
    const times = { from: Date.parse(from), until: Date.parse(until) };
    return start === undefined ? [] : [{ set: sets.idFor(routing, nodes), start, percent, ...times }];
  });
}

/** `<name>.<namespace>.<zone>`: what the customer points a CNAME at. */
export function cnameOf({ metadata, spec }: CdnDomain, defaultZone: string): string {
  return `${metadata.name}.${metadata.namespace}.${spec.zone ?? defaultZone}`;
}

function healthCheckOf({ healthCheck, ports }: EdgeNode['spec']): RoutingNode['healthCheck'] {
  const { protocol, path, hostname, verifyCertificate: verify = false } = healthCheck;
  const { interval, timeout, failureThreshold, successThreshold } = healthCheck;
  return {
    protocol,
    port: protocol === 'HTTPS' && ports.https !== undefined ? ports.https : ports.http,
    path,
    ...(hostname !== undefined && { tls: { hostname, verify } }),
    intervalMs: durationMs(interval),
    timeoutMs: durationMs(timeout),
    failureThreshold,
    successThreshold,
  };
}

const routingNode = memo(({ metadata, spec }: EdgeNode): RoutingNode => {
  return {
    name: metadata.name,
    addresses: spec.addresses,
    region: spec.region ?? NO_REGION,
    weight: spec.weight,
    schedulable: spec.schedulable,
    isps: [...(spec.isps ?? [])].sort((a, b) => a - b),
    healthCheck: healthCheckOf(spec),
  };
});
