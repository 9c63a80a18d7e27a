/** What a dns-server keeps in memory for each domain and each node. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { textTable } from '../../lib/text-table.ts';
import { end, residentMiB, start } from './running.ts';
import { weir } from './weir.ts';
import { REGIONS, worldOf } from './world.ts';

/** Until probes and the first collections of garbage are over. */
const SETTLE_MS = 15_000;

export async function measureMemory(folder: string, healthPort: number): Promise<void> {
  const sizes = [
    { domains: 1_000, nodes: 10 },
    { domains: 100_000, nodes: 10 },
    { domains: 100_000, nodes: 1_000 },
  ];
  const mebibytes: number[] = [];
  for (const { domains, nodes } of sizes) {
    const server = weir(`weir ${domains} ${nodes}`, ['--batch', 'on', '--workers', '1']);
    const world = worldOf(domains, { nodesPerRegion: nodes / REGIONS.length });
    const running = await start(server, join(folder, `memory-${domains}-${nodes}`), world, healthPort);
    await sleep(SETTLE_MS);
    mebibytes.push(await residentMiB(running));
    await end(running.child);
  }
  const rows = sizes.map(({ domains, nodes }, index) => [
    String(domains),
    String(nodes),
    (mebibytes[index] ?? Number.NaN).toFixed(0),
  ]);
  console.log(`\n${textTable([['DOMAINS', 'NODES', 'MIB'], ...rows]).join('\n')}`);
  const [few = 0, many = 0, all = 0] = mebibytes;
  const each = (more: number, count: number) => ((more * 1_024) / count).toFixed(1);
  console.log(`${each(many - few, 99_000)} KiB for a domain, ${each(all - many, 990)} KiB for a node`);
}
