/**
 * Looks, before anything starts, whether every address can be listened on: a child that dies on it says so less
 * clearly, and again and again.
 */
import { formatListenAddress, isLoopback } from '../../lib/listen-address.ts';
import { tryBind } from '../../lib/try-bind.ts';
import type { Place, Program } from './programs.ts';

export interface PlaceFaults {
  /** What stands in the way; empty when all is free. */
  lines: string[];
  /** Only ports in use: programs of a `weir standalone` that was killed need a moment to end. */
  mayPass: boolean;
}

export async function checkPlaces(
  programs: readonly Program[],
  bind: typeof tryBind = tryBind,
): Promise<PlaceFaults> {
  const places = programs.flatMap((program) => program.places.map((place) => ({ ...place, program })));
  const faults = await Promise.all(
    places.map(async (place) => ({ place, code: await bind(place.address, place.protocol) })),
  );
  const missing = faults
    .filter(({ place, code }) => code === 'EADDRNOTAVAIL' && isLoopback(place.address.host))
    .map(({ place }) => place.address.host);
  const shared = sharedPlaces(places);
  const lines = [
    ...shared,
    ...aliasLines([...new Set(missing)]),
    ...faults.flatMap(({ place, code }) =>
      code === undefined || missing.includes(place.address.host) ? [] : [faultLine(place, code)],
    ),
  ];
  const inUse = faults.every(({ code }) => code === undefined || code === 'EADDRINUSE');
  return { lines, mayPass: inUse && shared.length === 0 };
}

/** Linux has all of 127.0.0.0/8; macOS only what it was told of. */
function aliasLines(addresses: readonly string[]): string[] {
  if (addresses.length === 0) return [];
  return [
    'this system does not have these loopback addresses yet; run, and start again:',
    ...addresses.map((address) =>
      address.includes(':')
        ? `sudo ifconfig lo0 inet6 alias ${address} up`
        : `sudo ifconfig lo0 alias ${address} up`,
    ),
  ];
}

function faultLine({ address, protocol, setting }: Place, code: string): string {
  const place = `${formatListenAddress(address)} (${protocol}, ${setting})`;
  switch (code) {
    case 'EADDRINUSE':
      return `${place} is in use by another program`;
    case 'EACCES':
      return `${place} may not be bound by this user; ports below 1024 need root, or another port`;
    case 'EADDRNOTAVAIL':
      return `${place} is no address of this machine`;
    default:
      return `${place} can not be bound: ${code}`;
  }
}

function sharedPlaces(places: readonly Place[]): string[] {
  const byKey = new Map<string, Place[]>();
  for (const place of places) {
    const key = `${formatListenAddress(place.address)} (${place.protocol})`;
    byKey.set(key, [...(byKey.get(key) ?? []), place]);
  }
  return [...byKey]
    .filter(([, rivals]) => rivals.length > 1)
    .map(([key, rivals]) => `${key} is set twice: ${rivals.map(({ setting }) => setting).join(', ')}`);
}
