/** Weir's dns-server: a plan of the world on disk, and the command that starts from it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newZoneKey, type ZoneKeys } from '../../contract/dns/zone-keys.ts';
import type { NodeTable } from '../../contract/plans/node-table.ts';
import { type PublishedRoutingPlan, planDigest } from '../../contract/plans/published-plan.ts';
import { type RoutingPlan, routingPlan } from '../../contract/plans/routing-plan.ts';
import { AGENT_FILES, ZONE_KEYS_SUFFIX } from '../../contract/state-folder.ts';
import { mmdbOf } from '../../dns-server/testing/mmdb.ts';
import type { OperatorPlace } from '../../operator/testing/trust.ts';
import type { Server } from './server.ts';
import { addressesOf, NS, networksOf, REGIONS, TTL, type World, ZONE } from './world.ts';

const NOBODY: OperatorPlace = { url: 'https://127.0.0.1:1', ca: '', token: '' };

/** Started from what is on disk; by default nobody is where the operator should be. */
export function weir(name: string, flags: string[], operator = NOBODY): Server {
  return {
    name,
    async prepare(folder, port, world, healthPort) {
      const plan = planOf(world, healthPort);
      await writeFile(join(folder, AGENT_FILES.plan), JSON.stringify(publishedOf(plan, 1)));
      await writeFile(join(folder, AGENT_FILES.table), JSON.stringify(tableOf(plan)));
      await mkdir(join(folder, AGENT_FILES.secrets));
      const keys: ZoneKeys = { zone: ZONE, keys: [newZoneKey(Date.now(), true)] };
      await writeFile(join(folder, AGENT_FILES.secrets, `${ZONE}${ZONE_KEYS_SUFFIX}`), JSON.stringify(keys), {
        mode: 0o600,
      });
      await writeFile(join(folder, 'token'), operator.token);
      await writeFile(join(folder, 'operator-ca.pem'), operator.ca);
      // Regions have networks alone: an empty world beside them.
      await writeFile(join(folder, 'world.mmdb'), mmdbOf({ '192.0.2.0/24': { country_code: 'ZZ' } }));
      return [
        process.execPath,
        join(import.meta.dirname, '../../dns-server/main.ts'),
        '--operator',
        operator.url,
        '--join-token-file',
        join(folder, 'token'),
        '--operator-ca',
        join(folder, 'operator-ca.pem'),
        '--state',
        folder,
        '--listen',
        `127.0.0.1:${port}`,
        '--admin',
        '127.0.0.1:0',
        '--geo-database',
        join(folder, 'world.mmdb'),
        ...flags,
      ];
    },
  };
}

export function publishedOf(plan: RoutingPlan, seq: number): PublishedRoutingPlan {
  return {
    revision: { epoch: 1, seq },
    digest: planDigest(plan),
    run: 'bench',
    plan,
    since: Object.fromEntries(plan.domains.map(({ uid }) => [uid, { epoch: 1, seq: 1 }])),
  };
}

export function tableOf({ nodes }: RoutingPlan): NodeTable {
  const acked = { epoch: 1, seq: 1 };
  return {
    version: acked,
    rows: nodes.map(({ name }) => ({ node: name, acked, admitted: true, reason: '' })),
  };
}

export function planOf({ names, nodesPerRegion, signed }: World, healthPort: number): RoutingPlan {
  const nodes = REGIONS.flatMap((region, index) =>
    addressesOf(index, nodesPerRegion).map((address, of) => ({
      name: `${region}-${of}`,
      addresses: [address],
      region,
      weight: 100,
      schedulable: true,
      healthCheck: {
        protocol: 'HTTP' as const,
        port: healthPort,
        path: '/',
        intervalMs: 10_000,
        timeoutMs: 5_000,
        failureThreshold: 3,
        successThreshold: 2,
      },
    })),
  );
  // Parsed, so that what the contract adds has its defaults.
  return routingPlan.parse({
    zones: [
      {
        name: ZONE,
        nameServers: [{ name: NS, addresses: ['127.0.0.1'] }],
        contact: `hostmaster.${ZONE}`,
        negativeTtl: 60,
        dnssec: signed,
      },
    ],
    regions: REGIONS.map((name, index) => ({
      name,
      countries: [],
      subdivisions: [],
      cidrs: networksOf(index),
    })),
    defaultRegion: 'r0',
    nodes,
    candidateSets: [
      {
        id: 'all',
        regions: REGIONS.map((region) => ({
          region,
          tiers: [
            {
              by: 'Region',
              name: region,
              nodes: nodes.filter((node) => node.region === region).map(({ name }) => name),
            },
          ],
        })),
      },
    ],
    domains: names.map((cname, index) => ({
      uid: `uid-${index}`,
      namespace: 'demo',
      name: `d${index}`,
      hostnames: [`d${index}.example.com`],
      cname,
      zone: ZONE,
      policy: 'Geo',
      ttl: TTL,
      minTtl: TTL,
      answers: 2,
      set: 'all',
    })),
  });
}
