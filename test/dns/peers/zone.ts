/** The zone of tests as a plan, and as a zone file for peers. */

import type { RoutingPlan } from '../../../contract/plans/routing-plan.ts';
import { planWithRecords } from '../../../dns-server/testing/answering.ts';
import { RECORDS } from '../../../dns-server/testing/zone-records.ts';

export const ORIGIN = 'cdn.example.net';

export function planOf(): RoutingPlan {
  const plan = planWithRecords(RECORDS);
  return { ...plan, nodes: [], domains: [], candidateSets: [] };
}

/** SOA and name servers as Weir makes them of its plan. */
export function zoneFile(): string {
  const records = RECORDS.map((text) => {
    const [, name = '', type = '', ttl = '300', data = ''] =
      /^(\S+) ([A-Z]+) (?:ttl=(\d+) )?(.*)$/.exec(text) ?? [];
    return `${name} ${ttl} IN ${type} ${data}`;
  });
  return [
    `$ORIGIN ${ORIGIN}.`,
    '@ 3600 IN SOA ns1 hostmaster.example.net. 12582919 3600 600 1209600 60',
    '@ 3600 IN NS ns1',
    '@ 3600 IN NS ns.example.org.',
    'ns1 3600 IN A 192.0.2.53',
    'ns1 3600 IN AAAA 2001:db8::53',
    ...records,
    '',
  ].join('\n');
}
