/** One zone with everything static that a zone may hold: as Weir's records, and as a zone file for its peers. */

import type { RoutingPlan } from '../../../contract/plans/routing-plan.ts';
import { planWithRecords } from '../../../dns-server/testing/answering.ts';

export const ORIGIN = 'cdn.example.net';

export const RECORDS: readonly string[] = [
  '@ TXT "v=spf1 -all"',
  '@ MX 10 mail',
  '@ MX 20 mail.example.org.',
  '@ CAA 0 issue "ca.example.org"',
  'www A ttl=60 192.0.2.7',
  'www A ttl=60 192.0.2.8',
  'www AAAA 2001:db8::7',
  'mail A 192.0.2.25',
  'ptr PTR host.example.org.',
  '_sip._tcp SRV 1 2 5060 www',
  'deep.er.still TXT here',
  'alias CNAME ttl=120 www',
  'twice CNAME alias',
  'outside CNAME www.example.org.',
  'nowhere CNAME missing',
  'into-wild CNAME x.wild.cdn.example.net.',
  'into-dname CNAME a.old.cdn.example.net.',
  'into-sub CNAME x.sub.cdn.example.net.',
  '*.wild TXT any',
  '*.wild A 192.0.2.99',
  'exact.wild TXT one',
  'a.b.wild TXT two',
  '*.aliased CNAME www',
  '*.nested.wild TXT inner',
  'sub NS ns.sub.cdn.example.net.',
  'sub NS ns.example.org.',
  'ns.sub A 192.0.2.54',
  'ns.sub AAAA 2001:db8::54',
  'signed NS ns.sub.cdn.example.net.',
  `signed DS 4711 13 2 ${'AB'.repeat(32)}`,
  'old DNAME ttl=600 new',
  'old TXT itself',
  'a.new A 192.0.2.70',
  'b.new CNAME www',
  'away DNAME example.org.',
  'in-ns NS www',
];

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
    '@ 3600 IN SOA ns1 hostmaster.example.net. 196615 3600 600 1209600 60',
    '@ 3600 IN NS ns1',
    '@ 3600 IN NS ns.example.org.',
    'ns1 3600 IN A 192.0.2.53',
    'ns1 3600 IN AAAA 2001:db8::53',
    ...records,
    '',
  ].join('\n');
}
