/**
 * Where weir.yaml has no regions, a client's region is its spot on the map: its place, rounded to whole degrees, since
 * nobody builds two sites so near to each other that it matters, and selections are kept for each spot. Pure.
 */
import { type Location, NO_REGION } from '../../contract/plans/routing-plan.ts';

export function spotOf({ latitude, longitude }: Location): string {
  return `@${Math.round(latitude)},${Math.round(longitude)}`;
}

/** The place that a spot stands for; nothing for a region, or for a client that nobody can place. */
export function locationOf(region: string): Location | undefined {
  if (!region.startsWith('@')) return undefined;
  const [latitude = 0, longitude = 0] = region.slice(1).split(',').map(Number);
  return { latitude, longitude };
}

/** The region by which candidate sets know a client. */
export function regionOf(region: string): string {
  return region.startsWith('@') ? NO_REGION : region;
}
