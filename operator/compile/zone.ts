/** The zones of weir.yaml and their limits -> what dns-servers say and hold to. Pure. */

import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { ZoneRecord } from '../../contract/config/zone-records.ts';
import type { RoutingPlan, RoutingRecord, RoutingZone } from '../../contract/plans/routing-plan.ts';
import { durationSeconds } from '../../lib/duration.ts';
import type { Challenges } from '../certificates/holdings.ts';

export function routingZone({
  name,
  nameServers,
  soa,
  dnssec,
  records,
}: WeirConfig['zones'][number]): RoutingZone {
  return {
    name,
    nameServers,
    contact: soa.contact,
    negativeTtl: durationSeconds(soa.negativeTtl),
    dnssec,
    records: records.map((record) => routingRecord(record, name)).sort(byText),
  };
}

/** ACME servers ask by themselves, without a cache between: the next order has other values. */
const CHALLENGE_TTL = 1;

/** The zones with the values that ACME servers look for, each in the nearest zone above its name. */
export function withChallenges(zones: RoutingZone[], txt: Challenges['txt']): RoutingZone[] {
  if (txt.length === 0) return zones;
  return zones.map((zone) => {
    const own = txt.filter(({ name }) => zoneOf(name, zones) === zone);
    if (own.length === 0) return zone;
    const records = own.map(
      ({ name, value }): RoutingRecord => ({ name, type: 'TXT', ttl: CHALLENGE_TTL, data: `"${value}"` }),
    );
    return { ...zone, records: [...zone.records, ...records].sort(byText) };
  });
}

function zoneOf(name: string, zones: readonly RoutingZone[]): RoutingZone | undefined {
  const above = zones.filter((zone) => name.endsWith(`.${zone.name}`));
  return above.sort((a, b) => b.name.length - a.name.length)[0];
}

function routingRecord({ name, type, ttl, data }: ZoneRecord, zone: string): RoutingRecord {
  return { name: name === '@' ? zone : `${name}.${zone}`, type, ttl: durationSeconds(ttl), data };
}

/** The order in which people write records says nothing; equal sets make equal plans. */
function byText(a: RoutingRecord, b: RoutingRecord): number {
  const [first, second] = [a, b].map(({ name, type, data }) => `${name} ${type} ${data}`);
  return first === second ? 0 : (first ?? '') < (second ?? '') ? -1 : 1;
}

export function routingRateLimit({
  responses: { enabled, ...limits },
  perClient,
  exempt,
}: WeirConfig['rateLimit']): NonNullable<RoutingPlan['rateLimit']> {
  return {
    ...(enabled && { responses: limits }),
    ...(perClient !== undefined && { perClient }),
    exempt: [...exempt].sort(),
  };
}
