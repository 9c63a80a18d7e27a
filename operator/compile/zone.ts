/** The zones of weir.yaml and their limits -> what dns-servers say and hold to. Pure. */

import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { ZoneRecord } from '../../contract/config/zone-records.ts';
import type { RoutingPlan, RoutingRecord, RoutingZone } from '../../contract/plans/routing-plan.ts';
import { durationSeconds } from '../../lib/duration.ts';

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
