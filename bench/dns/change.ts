/** What it costs the thread with the plan to prepare another: all of 100,000 domains, and when one of them changed. */
import { createView } from '../../dns-server/answer/view.ts';
import { prepareFastPlan } from '../../dns-server/fast/learn.ts';
import type { CompiledGeo } from '../../dns-server/geo/compile.ts';
import { buildPrefixTable, NOBODY } from '../../dns-server/geo/prefix-table.ts';
import { preparePlan } from '../../dns-server/plan/prepare.ts';
import type { PreparedPlan } from '../../dns-server/plan/prepared-plan.ts';
import { textTable } from '../../lib/text-table.ts';
import { planOf, publishedOf, tableOf } from './weir.ts';
import { worldOf } from './world.ts';

const DOMAINS = 100_000;
const ROUNDS = 5;

export function measureChange(): void {
  let plan = planOf(worldOf(DOMAINS), 80);
  let held: PreparedPlan | undefined;
  const rows: string[][] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const published = publishedOf(plan, round + 1);
    const { result: prepared, ms: plans } = measured(() => preparePlan(published, held));
    const { ms: views } = measured(() => createView(prepared, tableOf(plan), []));
    const { ms: tables } = measured(() => prepareFastPlan(prepared, GEO));
    rows.push([round === 0 ? 'all' : 'one changed', ...[plans, views, tables].map((ms) => ms.toFixed(0))]);
    held = prepared;
    const changed = plan.domains.flatMap((domain, index) =>
      index === round ? { ...domain, ttl: domain.ttl + 1 } : domain,
    );
    plan = { ...plan, domains: changed };
  }
  console.log(`\na plan of ${DOMAINS} domains is prepared, in ms of CPU`);
  console.log(textTable([['', 'PLAN', 'VIEW', 'TABLES'], ...rows]).join('\n'));
}

/** Nobody is placed: the tables of networks are no part of this. */
const GEO: CompiledGeo = {
  ipv4: buildPrefixTable([NOBODY], 32, () => 0),
  ipv6: buildPrefixTable([NOBODY], 128, () => 0),
  results: [],
};

function measured<T>(act: () => T): { result: T; ms: number } {
  const before = process.cpuUsage();
  const result = act();
  const { user, system } = process.cpuUsage(before);
  return { result, ms: (user + system) / 1_000 };
}
