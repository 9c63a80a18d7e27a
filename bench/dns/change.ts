/**
 * For how long the thread with the plan answers nobody when a plan of 100,000 domains comes: all of them, and when one
 * changed. First it is prepared, then it is put in force; between the two it may answer.
 */
import { compiledPlaces } from '../../dns-server/geo/compile.ts';
import { geoDatabase } from '../../dns-server/geo/geo-database.ts';
import { buildPrefixTable, NOBODY } from '../../dns-server/geo/prefix-table.ts';
import { DnsMetrics } from '../../dns-server/metrics.ts';
import { preparePlan } from '../../dns-server/plan/prepare.ts';
import type { PreparedPlan } from '../../dns-server/plan/prepared-plan.ts';
import { Service } from '../../dns-server/service.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { textTable } from '../../lib/text-table.ts';
import { planOf, publishedOf, tableOf } from './weir.ts';
import { worldOf } from './world.ts';

const DOMAINS = 100_000;
const ROUNDS = 7;

export function measureChange(): void {
  let plan = planOf(worldOf(DOMAINS), 80);
  let held: PreparedPlan | undefined;
  // As after a delta: the very record that is held, while no domain is new.
  const { since } = publishedOf(plan, 1);
  const service = new Service({
    name: 'bench',
    geo: geoDatabase([]),
    metrics: new DnsMetrics(),
    log: silentLog,
    clock: systemClock,
  });
  service.useTable(tableOf(plan));
  const rows: string[][] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const published = { ...publishedOf(plan, round + 1), since };
    const { result: prepared, ms: preparing } = measured(() => preparePlan(published, held));
    prepared.regions.places = PLACES;
    const { ms: swapping } = measured(() => service.usePlan(prepared));
    rows.push([round === 0 ? 'all' : 'one changed', preparing.toFixed(0), swapping.toFixed(0)]);
    held = prepared;
    const changed = plan.domains.flatMap((domain, index) =>
      index === round ? { ...domain, ttl: domain.ttl + 1 } : domain,
    );
    plan = { ...plan, domains: changed };
  }
  service.stop();
  console.log(`\na plan of ${DOMAINS} domains, in ms of CPU`);
  console.log(textTable([['', 'PREPARED', 'IN FORCE'], ...rows]).join('\n'));
}

/** Nobody is placed: the tables of networks are no part of this. */
const PLACES = compiledPlaces({
  ipv4: buildPrefixTable([NOBODY], 32, () => 0),
  ipv6: buildPrefixTable([NOBODY], 128, () => 0),
  results: [],
});

function measured<T>(act: () => T): { result: T; ms: number } {
  const before = process.cpuUsage();
  const result = act();
  const { user, system } = process.cpuUsage(before);
  return { result, ms: (user + system) / 1_000 };
}
