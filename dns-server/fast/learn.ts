/** Teaches a fast path: what the ordinary path chose becomes a slot, and is used where the bytes come out equal. */

import { compareRevisions } from '../../contract/plans/revision.ts';
import { answerDomain, type DomainAnswer } from '../answer/answer-domain.ts';
import { addressesOf, pickedOf } from '../answer/choose.ts';
import { rankingOf } from '../answer/rendezvous.ts';
import { chainOf } from '../answer/steps.ts';
import type { View } from '../answer/view.ts';
import type { CompiledGeo } from '../geo/compile.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain, PreparedPlan } from '../plan/prepared-plan.ts';
import { newCounts } from './counts.ts';
import type { FastPath, FastTables } from './fast-path.ts';
import { buildNameTable } from './name-table.ts';
import { BY_DOMAIN, keepSignature, type NewSignature, newSignatures, recordsOf, type Slot } from './slot.ts';

/** A class of domains, with those that are in the plan for the longest and for the shortest time. */
export interface DomainClass {
  oldest: PreparedDomain;
  newest: PreparedDomain;
}

/** What a query taught: a slot that is new or changed, or one more signature of a slot. */
export interface Learnt {
  key: number;
  slot: Slot | typeof BY_DOMAIN | undefined;
  signature: NewSignature | undefined;
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
  const ids = new Map(plan.domains.map(({ set }, index) => [set, index]));
  const names = entries.map(({ key, domain }) => {
    const { policy, ttl, minTtl, answers, uid } = domain.spec;
    const own = domain.shifts.length > 0 || domain.since === undefined ? uid : '';
    const id = `${ids.get(domain.set)} ${policy} ${ttl} ${minTtl} ${answers} ${domain.zone.key} ${own}`;
    const number = numbers.get(id) ?? classes.push({ oldest: domain, newest: domain }) - 1;
    numbers.set(id, number);
    const known = classes[number];
    if (known && isBefore(domain, known.oldest)) known.oldest = domain;
    if (known && isBefore(known.newest, domain)) known.newest = domain;
    return { key, class: number };
  });
  return {
    tables: {
      names: buildNameTable(names),
      classes: classes.length,
      geo,
      counts: newCounts(entries.length, geo.results.length),
    },
    domains: entries.map(({ domain }) => domain),
    classes,
  };
}

function isBefore(a: PreparedDomain, b: PreparedDomain): boolean {
  return a.since !== undefined && b.since !== undefined && compareRevisions(a.since, b.since) < 0;
}

/**
 * After the ordinary path answered what `fast` did not know: keeps a slot, and the shape of the query as one that it is
 * right for or not. Returns what is new. Signatures are each name's own, and are kept with the slot one by one.
 */
export function learn(
  fast: FastPath,
  { tables, domains, classes }: FastPlan,
  view: View,
  geo: GeoDatabase,
  ordinary: Uint8Array,
): Learnt | undefined {
  const { query } = fast;
  const domain = domains[fast.name];
  const ofClass = classes[fast.class];
  if (domain === undefined || ofClass === undefined) return undefined;
  const held = fast.slots.get(fast.key);
  const shape = 1 << query.shape;
  if (held !== undefined && held !== BY_DOMAIN) {
    if (held.others & shape) return undefined;
    const signature = sign(fast, held, ordinary);
    if (held.shapes & shape) return signature && { key: fast.key, slot: undefined, signature };
    return { ...check(fast, held, shape, ordinary), signature };
  }
  const alike =
    view.cohortOf(ofClass.oldest, domain.set) === view.cohortOf(ofClass.newest, domain.set) &&
    view.cohortOf(domain, domain.set) === view.cohortOf(ofClass.newest, domain.set);
  if (held === undefined && !alike && fast.key < tables.classes * 2 * tables.geo.results.length) {
    fast.slots.set(fast.key, BY_DOMAIN);
    return { key: fast.key, slot: BY_DOMAIN, signature: undefined };
  }
  const slot = slotOf(answerDomain(view, geo, domain, fast.client(), query.family), query.family);
  if (slot === undefined) return undefined;
  fast.slots.set(fast.key, slot);
  sign(fast, slot, ordinary);
  return { ...check(fast, slot, shape, ordinary), signature: undefined };
}

function sign(fast: FastPath, slot: Slot, ordinary: Uint8Array): NewSignature | undefined {
  const signature = fast.missingSignature(slot, ordinary);
  if (signature) keepSignature(slot, signature);
  return signature;
}

function check(fast: FastPath, slot: Slot, shape: number, ordinary: Uint8Array) {
  const { start } = fast.query;
  const length = fast.write(slot);
  const written = fast.query.bytes.subarray(start, start + length);
  const equal = length > 0 && Buffer.compare(written, ordinary) === 0;
  if (equal) slot.shapes |= shape;
  else slot.others |= shape;
  return { key: fast.key, slot };
}

/**
 * Nothing where the answer is a negative one, where a shift may divide the clients of one place, or where nodes share an
 * address: records of nodes stand one after the other here, and none may be there twice.
 */
function slotOf(answer: DomainAnswer, family: Family): Slot | undefined {
  const { domain, side, selection, addresses, ttl, length } = answer;
  if (side !== 'None' || addresses.length === 0) return undefined;
  const owned = selection.standings.flatMap((standing) => addressesOf(selection, [standing], family));
  if (new Set(owned.map(({ text }) => text)).size < owned.length) return undefined;
  const { standings, outcome } = selection;
  const counts = standings.map((standing) => addressesOf(selection, [standing], family).length);
  const bounds = [0, ...counts].map((_, place) => counts.slice(0, place).reduce((sum, own) => sum + own, 0));
  return {
    ranking: rankingOf(standings),
    picked: pickedOf(outcome, domain.spec.answers, standings.length),
    ...recordsOf(family, owned, ttl),
    bounds: Uint32Array.from(bounds),
    scoped: length > 0,
    chain: chainOf(answer),
    signatures: domain.zone.spec.dnssec ? newSignatures(standings.length) : undefined,
    shapes: 0,
    others: 0,
  };
}
