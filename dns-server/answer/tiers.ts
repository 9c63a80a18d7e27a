/**
 * The tiers for one client, in the order in which they are tried: those of its region, or all sites from the nearest
 * on; within each, nodes with a direct line to the client's ISP before the others. Pure.
 */
import type { Location } from '../../contract/plans/routing-plan.ts';
import { locationOf, regionOf } from '../geo/spot.ts';
import type { PreparedNode, PreparedSet, PreparedTier } from '../plan/prepared-plan.ts';

/** What the choice knows of a client. */
export interface Whereabouts {
  /** Its region, or its spot where there are none. */
  region: string;
  /** Its ISP's number, where one is known. */
  asn?: number | undefined;
}

/** A part of a tier: that of the client's ISP, or the rest. */
export interface ClientTier extends PreparedTier {
  sameIsp: boolean;
}

export function tiersFor(set: PreparedSet, { region, asn }: Whereabouts): ClientTier[] {
  const tiers = nearestFirst(set.tiersOf.get(regionOf(region)) ?? [], locationOf(region));
  return tiers.flatMap((tier) => ispFirst(tier, asn !== undefined && set.isps.has(asn) ? asn : undefined));
}

/** Clients with equal keys have equal tiers. */
export function tiersKey({ isps }: PreparedSet, { region, asn }: Whereabouts): string {
  return asn !== undefined && isps.has(asn) ? `${region} ${asn}` : region;
}

function ispFirst(tier: PreparedTier, asn: number | undefined): ClientTier[] {
  const own = asn === undefined ? [] : tier.nodes.filter(({ spec }) => spec.isps.includes(asn));
  if (own.length === 0) return [{ ...tier, sameIsp: false }];
  const part = (nodes: PreparedNode[], sameIsp: boolean) =>
    nodes.length > 0 ? [{ ...tier, nodes, sameIsp }] : [];
  return [
    ...part(own, true),
    ...part(
      tier.nodes.filter((node) => !own.includes(node)),
      false,
    ),
  ];
}

/** Runs of sites are sorted; other tiers stay where they are. A client that nobody can place has no nearest site. */
function nearestFirst(tiers: readonly PreparedTier[], from: Location | undefined): PreparedTier[] {
  const at = tiers.findIndex(({ by }) => by === 'Site');
  if (at < 0) return [...tiers];
  const end = tiers.findLastIndex(({ by }) => by === 'Site') + 1;
  const sites = tiers.slice(at, end);
  return [...tiers.slice(0, at), ...(from ? byDistance(sites, from) : [oneTier(sites)]), ...tiers.slice(end)];
}

function oneTier(sites: readonly PreparedTier[]): PreparedTier {
  return { by: 'All', name: 'all sites', nodes: sites.flatMap(({ nodes }) => nodes) };
}

function byDistance(sites: readonly PreparedTier[], from: Location): PreparedTier[] {
  return sites
    .map((site) => ({ site, closeness: site.location ? closeness(site.location, from) : -1 }))
    .sort((a, b) => b.closeness - a.closeness || (a.site.name < b.site.name ? -1 : 1))
    .map(({ site }) => site);
}

/** The cosine of the angle between two places as seen from the centre of the earth: 1 is here, -1 the far side. */
function closeness(a: Location, b: Location): number {
  const [latitudeA, latitudeB, turn] = [a.latitude, b.latitude, a.longitude - b.longitude].map(
    (degrees) => (degrees * Math.PI) / 180,
  ) as [number, number, number];
  return (
    Math.sin(latitudeA) * Math.sin(latitudeB) + Math.cos(latitudeA) * Math.cos(latitudeB) * Math.cos(turn)
  );
}
