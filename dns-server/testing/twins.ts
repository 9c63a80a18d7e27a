/** Two services that know the same: one prepares answers, the other gives all of them on the ordinary path. */
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { compiledPlaces, compileGeo } from '../geo/compile.ts';
import { geoDatabase } from '../geo/geo-database.ts';
import { geoRulesOf } from '../geo/geo-sources.ts';
import { parseIp } from '../geo/ip-address.ts';
import { DnsMetrics } from '../metrics.ts';
import { preparePlan } from '../plan/prepare.ts';
import { Service } from '../service.ts';
import { mmdbOf } from './mmdb.ts';
import { TEST_COOKIE_SECRET } from './responder.ts';
import { published, readyTable, testDomain, testNode, testPlan } from './routing-plan.ts';

const WORLD = mmdbOf({
  '8.0.0.0/9': { country_code: 'US' },
  '61.0.0.0/8': { country_code: 'CN' },
  '202.102.0.0/16': { country_code: 'CN', state1: 'Henan' },
  '202.106.0.0/16': { country_code: 'CN', state1: 'Beijing' },
  '240e::/20': { country_code: 'CN', state1: 'Beijing' },
});

export const TWIN_DATA = {
  databases: [WORLD],
  asn: { databases: [], tables: ['202.102.128.0,202.102.255.255,4837,Unicom\n'] },
  networks: [],
};

/** In one of them nothing is ever prepared, since it has no geo tables to prepare with. */
export function twins(plan: RoutingPlan, now?: number) {
  const prepared = (places: boolean) => {
    const held = preparePlan(published(plan));
    const compiled = compileGeo(TWIN_DATA, geoRulesOf(plan));
    const found = compiledPlaces(compiled);
    // Without the tables behind it everything takes the ordinary path.
    held.regions.places = places ? found : { ...found, compiled: undefined };
    return held;
  };
  const start = (places: boolean) => {
    const metrics = new DnsMetrics();
    const clock = new FakeClock(now);
    const options = { name: 'dns-1', geo: geoDatabase([]), metrics, log: silentLog, clock };
    const service = new Service(options);
    service.usePlan(prepared(places));
    service.useTable(readyTable(plan));
    // One secret for both, or no cookie of the one would be that of the other.
    service.useSecrets({ zones: [], cookie: TEST_COOKIE_SECRET });
    const ask = (message: Buffer, source: string): string => {
      const from = parseIp(source);
      return from ? (service.handle(message, from, 'udp')?.toString('hex') ?? 'silence') : 'no source';
    };
    return { service, metrics, clock, ask };
  };
  const [fast, ordinary] = [start(true), start(false)];
  return {
    fast,
    ordinary,
    each: (change: (service: Service) => void) => {
      change(fast.service);
      change(ordinary.service);
    },
  };
}

const NODES = [
  testNode('bj-1', 'cn-north', { addresses: ['198.51.100.1', '2001:db8:1::1'], weight: 300 }),
  testNode('bj-2', 'cn-north', { addresses: ['198.51.100.2'] }),
  testNode('bj-3', 'cn-north', { addresses: ['198.51.100.7', '198.51.100.8'], weight: 0 }),
  testNode('la-1', 'us-west', { addresses: ['198.51.100.3', '2001:db8:3::1'] }),
  testNode('zz-1', 'cn-central', { addresses: ['198.51.100.5', '2001:db8:5::1'], isps: [4837] }),
  testNode('zz-2', 'cn-central', { addresses: ['198.51.100.6'] }),
];

export const TWIN_PLAN = testPlan({
  nodes: NODES,
  domains: [
    testDomain({ answers: 1 }),
    testDomain({ uid: 'uid-b', name: 'b', cname: 'b.demo.cdn.example.net' }),
    testDomain({ uid: 'uid-d', name: 'd', cname: 'd.demo.cdn.example.net' }),
    testDomain({ uid: 'uid-c', name: 'c', cname: 'c.demo.cdn.example.net', ttl: 30, answers: 8 }),
  ],
});
