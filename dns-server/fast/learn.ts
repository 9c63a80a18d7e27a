/** Teaches a fast path: what the ordinary path chose becomes a slot, and is used where the bytes come out equal. */

import { answerDomain, type DomainAnswer } from '../answer/answer-domain.ts';
import { addressesOf, pickedOf } from '../answer/choose.ts';
import { rankingOf } from '../answer/rendezvous.ts';
import { chainOf } from '../answer/steps.ts';
import type { View } from '../answer/view.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { FastPath } from './fast-path.ts';
import type { FastPlan } from './fast-plan.ts';
import { SHAPES } from './plain-query.ts';
import {
  BY_DOMAIN,
  FIT,
  keepSignature,
  type NewSignature,
  newSignatures,
  recordsOf,
  type Slot,
} from './slot.ts';

/** What a query taught: a slot that is new or changed, or one more signature of a slot. */
export interface Learnt {
  key: number;
  slot: Slot | typeof BY_DOMAIN | undefined;
  signature: NewSignature | undefined;
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
  const ofClass = classes.list[fast.class];
  if (domain === undefined || ofClass === undefined) return undefined;
  const held = fast.slots.get(fast.key);
  if (held !== undefined && held !== BY_DOMAIN) {
    const fit = held.shapes[query.shape];
    if (fit === FIT.WRONG) return undefined;
    const signature = sign(fast, held, ordinary);
    const slot = fit === FIT.RIGHT ? undefined : check(fast, held, ordinary);
    return (slot ?? signature) && { key: fast.key, slot, signature };
  }
  const alike =
    view.cohortOf(ofClass.oldest, domain.set) === view.cohortOf(ofClass.newest, domain.set) &&
    view.cohortOf(domain, domain.set) === view.cohortOf(ofClass.newest, domain.set);
  if (held === undefined && !alike && fast.key < tables.classes * 2 * tables.geo.results.length) {
    fast.slots.set(fast.key, BY_DOMAIN);
    return { key: fast.key, slot: BY_DOMAIN, signature: undefined };
  }
  const answer = answerDomain(view, geo, domain, fast.client(), query.family);
  const slot = slotOf(answer, query.family, ofClass.signed);
  if (slot === undefined) return undefined;
  fast.slots.set(fast.key, slot);
  sign(fast, slot, ordinary);
  const checked = check(fast, slot, ordinary);
  return checked && { key: fast.key, slot: checked, signature: undefined };
}

function sign(fast: FastPath, slot: Slot, ordinary: Uint8Array): NewSignature | undefined {
  const signature = fast.missingSignature(slot, ordinary);
  if (signature) keepSignature(slot, signature);
  return signature;
}

/** The slot, with what is known of the query's shape now; nothing where the answer is too long for this client: others may take it. */
function check(fast: FastPath, slot: Slot, ordinary: Uint8Array): Slot | undefined {
  const { start, shape } = fast.query;
  const length = fast.write(slot);
  // Too long, or without the signature that a truncated answer does not have.
  if (length <= 0) return undefined;
  const written = fast.query.bytes.subarray(start, start + length);
  const equal = Buffer.compare(written, ordinary) === 0;
  slot.shapes[shape] = equal ? FIT.RIGHT : FIT.WRONG;
  return slot;
}

/**
 * Nothing where the answer is a negative one, where a shift may divide the clients of one place, or where nodes share an
 * address: records of nodes stand one after the other here, and none may be there twice.
 */
function slotOf(answer: DomainAnswer, family: Family, signed: boolean): Slot | undefined {
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
    signatures: signed ? newSignatures(standings.length) : undefined,
    shapes: new Uint8Array(SHAPES),
  };
}
