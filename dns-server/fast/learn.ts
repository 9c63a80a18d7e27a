/** Teaches a fast path: what the ordinary path chose becomes a slot, and is used where the bytes come out equal. */

import { compareRevisions } from '../../contract/plans/revision.ts';
import { answerDomain, type DomainAnswer } from '../answer/answer-domain.ts';
import { addressesOf } from '../answer/choose.ts';
import type { View } from '../answer/view.ts';
import type { CompiledGeo } from '../geo/compile.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain, PreparedPlan } from '../plan/prepared-plan.ts';
import { BY_DOMAIN, COUNTERS, type FastPath, type FastTables, recordsOf, type Slot } from './fast-path.ts';
import { buildNameTable } from './name-table.ts';

/** A class of domains, with those that are in the plan for the longest and for the shortest time. */
export interface DomainClass {
  oldest: PreparedDomain;
  newest: PreparedDomain;
}

export interface FastPlan {
  tables: FastTables;
  /** By a name's number. */
  domains: PreparedDomain[];
  classes: DomainClass[];
}

/** The domains that answers can be prepared for: nothing stands above or beside them that had a say. */
export function prepareFastPlan(plan: PreparedPlan, geo: CompiledGeo): FastPlan {
  const entries = [...plan.names.values()].flatMap(({ key, domain, cut, dname }) =>
    domain && !cut && !dname ? [{ key, domain }] : [],
  );
  const numbers = new Map<string, number>();
  const classes: DomainClass[] = [];
  const classOf = new Uint32Array(new SharedArrayBuffer(4 * Math.max(1, entries.length)));
  const ids = new Map(plan.domains.map(({ set }, index) => [set, index]));
  for (const [name, { domain }] of entries.entries()) {
    const { ttl, minTtl, answers, uid } = domain.spec;
    const own = domain.shifts.length > 0 || domain.since === undefined ? uid : '';
    const id = `${ids.get(domain.set)} ${ttl} ${minTtl} ${answers} ${domain.zone.key} ${own}`;
    const number = numbers.get(id) ?? classes.push({ oldest: domain, newest: domain }) - 1;
    numbers.set(id, number);
    classOf[name] = number;
    const known = classes[number];
    if (known && isBefore(domain, known.oldest)) known.oldest = domain;
    if (known && isBefore(known.newest, domain)) known.newest = domain;
  }
  return {
    tables: {
      names: buildNameTable(entries.map(({ key }) => key)),
      classOf,
      classes: classes.length,
      geo,
      answered: counters(entries.length),
    },
    domains: entries.map(({ domain }) => domain),
    classes,
  };
}

/** One for each domain, and what is counted by family. */
export function counters(domains: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(4 * (domains + COUNTERS)));
}

function isBefore(a: PreparedDomain, b: PreparedDomain): boolean {
  return a.since !== undefined && b.since !== undefined && compareRevisions(a.since, b.since) < 0;
}

/**
 * After the ordinary path answered what `fast` did not know: keeps a slot, and the shape of the query as one that it is
 * right for or not. Returns the slot's key where there is something new.
 */
export function learn(
  fast: FastPath,
  { tables, domains, classes }: FastPlan,
  view: View,
  geo: GeoDatabase,
  ordinary: Uint8Array,
): number | undefined {
  const { query, name } = fast;
  const domain = domains[name];
  const ofClass = classes[tables.classOf[name] ?? 0];
  if (domain === undefined || ofClass === undefined) return undefined;
  const held = fast.slots.get(fast.key);
  const shape = 1 << query.shape;
  if (held !== undefined && held !== BY_DOMAIN) {
    if ((held.shapes | held.others) & shape) return undefined;
    return check(fast, held, shape, ordinary);
  }
  const alike =
    view.cohortOf(ofClass.oldest, domain.set) === view.cohortOf(ofClass.newest, domain.set) &&
    view.cohortOf(domain, domain.set) === view.cohortOf(ofClass.newest, domain.set);
  if (held === undefined && !alike && fast.key < tables.classes * 2 * tables.geo.results.length) {
    fast.slots.set(fast.key, BY_DOMAIN);
    return fast.key;
  }
  const slot = slotOf(answerDomain(view, geo, domain, fast.client(), query.family), query.family);
  if (slot === undefined) return undefined;
  fast.slots.set(fast.key, slot);
  return check(fast, slot, shape, ordinary);
}

const scratch = new Uint8Array(2_048);

function check(fast: FastPath, slot: Slot, shape: number, ordinary: Uint8Array): number {
  const length = fast.write(slot, scratch, 0);
  const equal = length > 0 && Buffer.compare(scratch.subarray(0, length), ordinary) === 0;
  if (equal) slot.shapes |= shape;
  else slot.others |= shape;
  return fast.key;
}

/** Nothing where the answer is a negative one, or where a shift may divide the clients of one place. */
function slotOf(
  { domain, side, selection, addresses, ttl, length }: DomainAnswer,
  family: Family,
): Slot | undefined {
  if (side !== 'None' || addresses.length === 0) return undefined;
  return {
    outcome: selection.outcome,
    standings: selection.standings.map((standing) => {
      const own = addressesOf(selection, [standing], family);
      const { seed, spec } = standing.node;
      return {
        node: { seed, spec: { name: spec.name } },
        weight: standing.weight,
        records: recordsOf(own, ttl),
        count: own.length,
      };
    }),
    answers: domain.spec.answers,
    scoped: length > 0,
    shapes: 0,
    others: 0,
  };
}
