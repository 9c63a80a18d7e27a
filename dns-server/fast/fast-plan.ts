/**
 * A plan as prepared answers need it: its names as numbers, and its domains in classes that are answered alike. One that
 * was prepared from the plan before takes over what did not change. Pure, but that classes are handed on and grow.
 */
import type { CompiledGeo } from '../geo/compile.ts';
import type { NameEntry, PreparedDomain, PreparedPlan } from '../plan/prepared-plan.ts';
import { newCounts } from './counts.ts';
import { DomainClasses } from './domain-classes.ts';
import type { FastTables } from './fast-path.ts';
import { buildNameTable, changeNameTable } from './name-table.ts';

export interface FastPlan {
  tables: FastTables;
  /** By a name's number; what is gone still has its own. */
  domains: PreparedDomain[];
  classes: DomainClasses;
  /** Of the prepared plan. */
  mark: symbol;
}

/** `before` is that of the plan before, which is not in force any more. */
export function prepareFastPlan(plan: PreparedPlan, geo: CompiledGeo, before?: FastPlan): FastPlan {
  return (before && changeFastPlan(plan, geo, before)) ?? wholeFastPlan(plan, geo);
}

function wholeFastPlan(plan: PreparedPlan, geo: CompiledGeo): FastPlan {
  const classes = new DomainClasses();
  const names: { key: string; class: number }[] = [];
  const domains: PreparedDomain[] = [];
  for (const entry of plan.names.values()) {
    const domain = preparable(entry);
    if (domain === undefined) continue;
    names.push({ key: entry.key, class: classes.add(domain, entry.zone) });
    domains.push(domain);
  }
  return fastPlan(plan, geo, { names: buildNameTable(names), domains, classes });
}

/** Nothing where it was not prepared from that one, or where too much of what is gone would be kept. */
function changeFastPlan(plan: PreparedPlan, geo: CompiledGeo, before: FastPlan): FastPlan | undefined {
  const { classes } = before;
  if (plan.mark === before.mark)
    return fastPlan(plan, geo, { names: before.tables.names, domains: before.domains, classes });
  if (plan.changed?.since !== before.mark || classes.isOvergrown()) return undefined;
  const fates = [...new Set(plan.changed.names)].map((key) => {
    const entry = plan.names.get(key);
    const domain = preparable(entry);
    return { key, domain, class: domain && entry && classes.add(domain, entry.zone) };
  });
  const changed = changeNameTable(before.tables.names, before.domains.length, fates);
  if (changed === undefined) return undefined;
  const domains = before.domains.slice();
  for (const [index, { domain }] of fates.entries()) {
    const number = changed.numbers[index];
    if (domain && number !== undefined) domains[number] = domain;
  }
  return fastPlan(plan, geo, { names: changed.table, domains, classes });
}

/** The domain that answers can be prepared for: nothing stands above or beside it that had a say. */
function preparable(entry: NameEntry | undefined): PreparedDomain | undefined {
  return entry?.cut || entry?.dname ? undefined : entry?.domain;
}

function fastPlan(
  { mark }: PreparedPlan,
  geo: CompiledGeo,
  { names, domains, classes }: Pick<FastPlan, 'domains' | 'classes'> & Pick<FastTables, 'names'>,
): FastPlan {
  const counts = newCounts(domains.length, geo.results.length);
  return { tables: { names, classes: classes.list.length, geo, counts }, domains, classes, mark };
}
