/** A whole dns-server in this process, on a free port, that answers from a plan on disk; and its counters. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { AGENT_FILES } from '../../contract/state-folder.ts';
import type { BatchMode } from '../../dns-server/listen/choose-udp.ts';
import { type DnsServer, startDnsServer } from '../../dns-server/main.ts';
import type { DnsServerOptions } from '../../dns-server/options.ts';
import { mmdbOf } from '../../dns-server/testing/mmdb.ts';
import { published, readyTable } from '../../dns-server/testing/routing-plan.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';
import { silentLog } from '../../lib/log.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };

/** Enough of the world for these tests. */
export const WORLD = mmdbOf({
  '8.0.0.0/9': { country_code: 'US' },
  '202.102.0.0/16': { country_code: 'CN', state1: 'Henan' },
  '202.106.0.0/16': { country_code: 'CN', state1: 'Beijing' },
  '240e::/20': { country_code: 'CN', state1: 'Beijing' },
});

export interface Serving {
  at: ListenAddress;
  /** Every counter that is not 0, by name and labels. */
  counters(): Promise<Map<string, number>>;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

export async function serve(
  plan: RoutingPlan,
  batch: BatchMode,
  more: Pick<DnsServerOptions, 'probeCa'> = {},
): Promise<Serving> {
  const state = await mkdtemp(join(tmpdir(), 'weir-dns-'));
  const world = join(state, 'world.mmdb');
  await writeFile(world, WORLD);
  await writeFile(join(state, 'empty'), '');
  await writeFile(join(state, AGENT_FILES.plan), JSON.stringify(published(plan)));
  await writeFile(join(state, AGENT_FILES.table), JSON.stringify(readyTable(plan)));
  const server = await startDnsServer(
    {
      name: 'dns-1',
      // Nobody is where the operator should be.
      operator: 'https://127.0.0.1:1',
      joinTokenFile: join(state, 'empty'),
      operatorCa: join(state, 'empty'),
      state,
      listen: [ANY_PORT],
      admin: ANY_PORT,
      geoDatabase: [world],
      batch,
      workers: 1,
      ...more,
    },
    { log: silentLog },
  );
  if (!/^weir_dns_plan_seq [1-9]/m.test(await metricsOf(server.admin))) throw new Error('no plan in force');
  return {
    at: boundOf(server),
    counters: () => countersOf(server.admin),
    metrics: () => metricsOf(server.admin),
    stop: async () => {
      await server.stop();
      await rm(state, { recursive: true, force: true });
    },
  };
}

function boundOf({ bound: [first] }: DnsServer): ListenAddress {
  if (first === undefined) throw new Error('it listens nowhere');
  return first;
}

async function metricsOf({ host, port }: ListenAddress): Promise<string> {
  return (await fetch(`http://${host}:${port}/metrics`)).text();
}

async function countersOf(admin: ListenAddress): Promise<Map<string, number>> {
  const rows = (await metricsOf(admin)).matchAll(/^(weir_dns_\w+_total(?:\{.*\})?) (\d+)$/gm);
  return new Map([...rows].map(([, name = '', value]) => [name, Number(value)] as const));
}
