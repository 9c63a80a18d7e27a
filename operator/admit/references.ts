/** What a manifest names outside itself and must exist: zones, regions, domains. One small check each. Pure. */
import { allowedFor, mayClaim } from '../../contract/config/hostname-rules.ts';
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { KindName } from '../../contract/kinds/kind.ts';
import type { CdnDomain, Certificate, EdgeNode, PurgeJob, Resource } from '../../contract/kinds/kinds.ts';
import { durationMs } from '../../lib/duration.ts';
import { hostnamesOf } from './hostnames.ts';
import { intervalStarts } from './shifts.ts';

export interface Fault {
  path: PropertyKey[];
  reason: 'Invalid' | 'Missing' | 'NotAllowed';
  message: string;
}

/** What the checks may look at. Domains are those in force. */
export interface Surroundings {
  config: WeirConfig;
  domain: (namespace: string, name: string) => CdnDomain | undefined;
}

export const CHECKS: { [K in KindName]: ((resource: Resource<K>, around: Surroundings) => Fault[])[] } = {
  CdnDomain: [hostnamesAllowed, zoneExists, cnameFits, overriddenRegionsExist, shiftsFit, minTtlFits],
  EdgeNode: [regionExists],
  PurgeJob: [domainExists, urlsBelongToDomain],
  Certificate: [certificateAllowed],
};

function hostnamesAllowed({ metadata: { namespace }, spec }: CdnDomain, { config }: Surroundings): Fault[] {
  return notAllowed(config, namespace, [
    { path: ['spec', 'hostname'], name: spec.hostname },
    ...(spec.aliases ?? []).map((name, index) => ({ path: ['spec', 'aliases', index], name })),
  ]);
}

/** A certificate speaks for its names: nobody gets one for those of another tenant. */
function certificateAllowed({ metadata, spec }: Certificate, { config }: Surroundings): Fault[] {
  const names = spec.hostnames.map((name, index) => ({ path: ['spec', 'hostnames', index], name }));
  return notAllowed(config, metadata.namespace, names);
}

function notAllowed(
  { hostnames: rules }: WeirConfig,
  namespace: string,
  names: readonly { path: PropertyKey[]; name: string }[],
): Fault[] {
  if (!rules) return [];
  const allowed = allowedFor(rules, namespace);
  const message =
    allowed.length === 0
      ? `weir.yaml allows namespace ${namespace} no hostnames`
      : `weir.yaml allows namespace ${namespace} ${allowed.slice(0, SHOWN).join(', ')}`;
  return names.flatMap(({ path, name }): Fault[] =>
    mayClaim(rules, namespace, name) ? [] : [{ path, reason: 'NotAllowed', message }],
  );
}

/** So many patterns tell what is meant. */
const SHOWN = 10;

function zoneExists({ spec: { zone } }: CdnDomain, { config }: Surroundings): Fault[] {
  const zones = config.zones.map(({ name }) => name);
  if (zone === undefined || zones.includes(zone)) return [];
  return [
    {
      path: ['spec', 'zone'],
      reason: 'Missing',
      message: `one of the zones of weir.yaml: ${zones.join(', ')}`,
    },
  ];
}

/** 253 characters are all that a name has (RFC 1035 2.3.4). */
function cnameFits({ metadata: { name, namespace }, spec }: CdnDomain, { config }: Surroundings): Fault[] {
  const zone = spec.zone ?? config.zones[0]?.name ?? '';
  if (`${name}.${namespace}.${zone}`.length <= 253) return [];
  return [
    {
      path: ['metadata', 'name'],
      reason: 'Invalid',
      message: 'name.namespace.zone has at most 253 characters',
    },
  ];
}

function overriddenRegionsExist({ spec: { routing } }: CdnDomain, { config }: Surroundings): Fault[] {
  const regions = config.regions.map(({ name }) => name);
  return (routing.overrides ?? []).flatMap(({ region }, index): Fault[] => {
    if (regions.includes(region)) return [];
    const path = ['spec', 'routing', 'overrides', index, 'region'];
    return [{ path, reason: 'Missing', message: knownRegions(regions) }];
  });
}

function shiftsFit({ spec: { routing } }: CdnDomain): Fault[] {
  const message = 'shares of shifts that overlap in time add up to at most 100';
  return intervalStarts(routing.shifts ?? []).flatMap((start, index): Fault[] =>
    start === undefined
      ? [{ path: ['spec', 'routing', 'shifts', index, 'percent'], reason: 'Invalid', message }]
      : [],
  );
}

function minTtlFits({ spec: { routing } }: CdnDomain): Fault[] {
  const { ttl, minTtl } = routing;
  if (minTtl === undefined || durationMs(minTtl) <= durationMs(ttl)) return [];
  const message = `at most the ttl, which is ${ttl}`;
  return [{ path: ['spec', 'routing', 'minTtl'], reason: 'Invalid', message }];
}

function regionExists({ spec: { region } }: EdgeNode, { config }: Surroundings): Fault[] {
  const regions = config.regions.map(({ name }) => name);
  if (region === undefined ? regions.length === 0 : regions.includes(region)) return [];
  return [{ path: ['spec', 'region'], reason: 'Missing', message: knownRegions(regions) }];
}

function knownRegions(regions: readonly string[]): string {
  return regions.length === 0
    ? 'no region: weir.yaml has none'
    : `one of the regions of weir.yaml: ${regions.join(', ')}`;
}

function domainExists({ metadata, spec }: PurgeJob, { domain }: Surroundings): Fault[] {
  if (domain(metadata.namespace, spec.domainRef.name)) return [];
  const message = `a CdnDomain in namespace ${metadata.namespace} that is accepted`;
  return [{ path: ['spec', 'domainRef', 'name'], reason: 'Missing', message }];
}

/** A purge of another domain's URL would drop nothing and look like success. */
function urlsBelongToDomain({ metadata, spec }: PurgeJob, { domain }: Surroundings): Fault[] {
  const target = domain(metadata.namespace, spec.domainRef.name);
  if (!target) return [];
  const hostnames = hostnamesOf(target);
  const check = (field: 'urls' | 'prefixes') =>
    (spec[field] ?? []).flatMap((url, index): Fault[] => {
      if (hostnames.includes(new URL(url).hostname)) return [];
      const message = `a URL of ${spec.domainRef.name}: its hosts are ${hostnames.join(', ')}`;
      return [{ path: ['spec', field, index], reason: 'Invalid', message }];
    });
  return [...check('urls'), ...check('prefixes')];
}
