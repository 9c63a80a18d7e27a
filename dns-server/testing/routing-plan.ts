/** Plans, tables and geo data for tests: small, and to be changed in the one place that a test is about. */

import type { NodeTable } from '../../contract/plans/node-table.ts';
import { type PublishedRoutingPlan, planDigest } from '../../contract/plans/published-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type { RoutingDomain, RoutingNode, RoutingPlan, Tier } from '../../contract/plans/routing-plan.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import { parseIp } from '../geo/ip-address.ts';
import type { Place } from '../geo/place.ts';
import { PrefixTrie } from '../geo/prefix-trie.ts';

export const REVISION: Revision = { epoch: 3, seq: 7 };

export function testNode(name: string, region: string, changes: Partial<RoutingNode> = {}): RoutingNode {
  return {
    name,
    addresses: ['192.0.2.1'],
    region,
    weight: 100,
    schedulable: true,
    isps: [],
    healthCheck: {
      protocol: 'HTTP',
      port: 8080,
      path: '/.weir/health',
      intervalMs: 1_000,
      timeoutMs: 1_000,
      failureThreshold: 3,
      successThreshold: 2,
    },
    ...changes,
  };
}

export function testDomain(changes: Partial<RoutingDomain> = {}): RoutingDomain {
  return {
    uid: 'uid-video',
    namespace: 'demo',
    name: 'video',
    hostnames: ['video.example.com'],
    cname: 'video.demo.cdn.example.net',
    zone: 'cdn.example.net',
    policy: 'Geo',
    ttl: 60,
    minTtl: 30,
    answers: 2,
    set: 'all',
    shifts: [],
    ...changes,
  };
}

/** Three regions with two nodes each; the regions fall back on each other, their own nodes first. */
export function testPlan(changes: Partial<RoutingPlan> = {}): RoutingPlan {
  const nodes = changes.nodes ?? [
    testNode('bj-1', 'cn-north', { addresses: ['198.51.100.1', '2001:db8:1::1'] }),
    testNode('bj-2', 'cn-north', { addresses: ['198.51.100.2'] }),
    testNode('la-1', 'us-west', { addresses: ['198.51.100.3', '2001:db8:3::1'] }),
    testNode('la-2', 'us-west', { addresses: ['198.51.100.4'] }),
    testNode('zz-1', 'cn-central', { addresses: ['198.51.100.5', '2001:db8:5::1'] }),
    testNode('zz-2', 'cn-central', { addresses: ['198.51.100.6'] }),
  ];
  const names = ['cn-central', 'cn-north', 'us-west'];
  const tier = (name: string): Tier[] => {
    const own = nodes.filter((node) => node.region === name);
    return own.length > 0 ? [{ by: 'Region', name, nodes: own.map((node) => node.name) }] : [];
  };
  return {
    zones: [
      {
        name: 'cdn.example.net',
        nameServers: [
          { name: 'ns1.cdn.example.net', addresses: ['192.0.2.53', '2001:db8::53'] },
          { name: 'ns.example.org', addresses: [] },
        ],
        contact: 'hostmaster.example.net',
        negativeTtl: 60,
        dnssec: false,
        records: [],
      },
    ],
    regions: [
      { name: 'cn-central', countries: ['CN'], subdivisions: ['CN-HA'], asns: [], cidrs: [] },
      {
        name: 'cn-north',
        countries: [],
        subdivisions: ['CN-BJ'],
        asns: [],
        cidrs: ['10.1.0.0/16', '2001:db8:f::/48'],
      },
      { name: 'us-west', countries: ['US'], subdivisions: [], asns: [], cidrs: ['10.1.2.0/24'] },
    ],
    defaultRegion: 'us-west',
    candidateSets: [
      {
        id: 'all',
        regions: names.map((region) => ({
          region,
          tiers: [region, ...names.filter((name) => name !== region)].flatMap(tier),
        })),
      },
    ],
    domains: [testDomain()],
    ...changes,
    nodes,
  };
}

export function published(plan: RoutingPlan, revision: Revision = REVISION): PublishedRoutingPlan {
  const since = Object.fromEntries(plan.domains.map(({ uid }) => [uid, { epoch: 3, seq: 5 }]));
  return { revision, digest: planDigest(plan), run: 'test', plan, since };
}

/** A table in which every node serves the newest plan and is admitted. */
export function readyTable({ nodes }: Pick<RoutingPlan, 'nodes'>): NodeTable {
  return {
    version: { epoch: 3, seq: 1 },
    rows: nodes.map(({ name }) => ({ node: name, acked: REVISION, admitted: true, reason: '' })),
  };
}

/** A geo database with these networks. */
export function testGeo(networks: Record<string, Place>): GeoDatabase {
  const tries = { 4: new PrefixTrie<Place>(), 6: new PrefixTrie<Place>() };
  for (const [network, place] of Object.entries(networks)) {
    const [text = '', length = ''] = network.split('/');
    const address = parseIp(text);
    if (address === undefined) throw new Error(`${network} is no network`);
    tries[address.version].add(address.bytes, Number(length), place);
  }
  return {
    locate({ version, bytes }) {
      const { value, depth } = tries[version].match(bytes);
      return { place: value, length: depth };
    },
  };
}

export const TEST_GEO = testGeo({
  '61.0.0.0/8': { country: 'CN' },
  '202.102.0.0/16': { country: 'CN', subdivision: 'CN-HA', city: 'Zhengzhou' },
  '202.106.0.0/16': { country: 'CN', subdivision: 'CN-BJ' },
  '8.0.0.0/9': { country: 'US' },
  '240e::/20': { country: 'CN', subdivision: 'CN-BJ' },
});
