/**
 * Whether a record has to be made anew: all that it is made of, as values to compare with those of the last time. A
 * thousand nodes ack each plan; which revision one has is looked at by turns. Pure; remembered by identity.
 */
import type { Resource } from '../../contract/kinds/kinds.ts';
import { compareRevisions, NO_REVISION, type Revision } from '../../contract/plans/revision.ts';
import { isKind } from '../admit/snapshot.ts';
import { judgeDomain } from '../certificates/holdings.ts';
import type { NodeState } from '../decide/state.ts';
import type { Around, Looked } from './around.ts';
import { newsOfNode, revisionTold } from './node-status.ts';
import type { StatusRecord } from './record.ts';

/** All that a status is made of, but for the record before it. */
export interface Looks {
  news: readonly unknown[];
  /** Which revision a node has: nothing that anybody waits for. */
  revision?: Revision | undefined;
}

/** Of jobs that run and of certificates there are few: those are made each time. */
export function looksAt({ key, form, acceptance, generation }: Looked, around: Around): Looks | undefined {
  const { admission, publication, cname, fleet, state, health, holdings, due, now } = around;
  const { resource } = form;
  const { uid, name } = resource.metadata;
  const { reason, message } = acceptance;
  const own = [resource, generation, reason, message, admission.quarantined.get(key)];
  if (isKind(resource, 'CdnDomain')) {
    const certificate = judgeDomain(resource, holdings, now);
    own.push(certificate.status, certificate.reason, certificate.message);
    const history = publication.history.get(uid);
    if (!history) return { news: own };
    const [programmed, routed] = [fleet.programmed(history.changed), fleet.routed(history.routed)];
    return {
      news: [...own, history, cname(uid), programmed.reason, programmed.message, routed.message],
    };
  }
  if (isKind(resource, 'EdgeNode')) {
    const node = state.nodes.get(name);
    return {
      news: [...own, ...newsOfNode(node, due), health.textOf(name)],
      revision: revisionTold(node),
    };
  }
  const job = isKind(resource, 'PurgeJob') ? state.jobs.get(uid) : undefined;
  // Acked by all: nobody's coming or going is told of it any more.
  return job?.outcome && job.missing === 0 ? { news: [...own, job] } : undefined;
}

/** A record of which nothing is old but the revision that it tells of. */
export interface Outdated {
  key: string;
  told: Revision | undefined;
  make: () => StatusRecord;
}

/**
 * Those that tell of the oldest, first, or a node late in the list would have no turn while plans keep coming. Few of a
 * thousand, at each look: they are picked out, not sorted.
 */
export function inTurns(outdated: readonly Outdated[], turns: number): Outdated[] {
  if (turns < 1) return [];
  const age = ({ told }: Outdated) => told ?? NO_REVISION;
  const oldest: Outdated[] = [];
  for (const row of outdated) {
    const isFull = oldest.length >= turns;
    const last = oldest.at(-1);
    if (isFull && last && compareRevisions(age(row), age(last)) >= 0) continue;
    const after = oldest.findLastIndex((other) => compareRevisions(age(other), age(row)) <= 0);
    oldest.splice(after + 1, 0, row);
    if (isFull) oldest.pop();
  }
  return oldest;
}

interface Made {
  old: StatusRecord | undefined;
  looks: Looks;
  record: StatusRecord;
}

/** What each record was made from, and what was last made of each resource. All of these are values. */
const madeFrom = new WeakMap<StatusRecord, Looks>();
const lastMade = new WeakMap<Resource, Made>();

/** The record itself where all that it was made from is still the same. One that waits for its turn is `outdated`. */
export function recordOf(
  { key, form: { resource }, old }: Looked,
  { looks, outdated }: { looks: Looks | undefined; outdated: Outdated[] },
  fresh: () => StatusRecord,
): StatusRecord {
  if (!looks) return fresh();
  const make = () => once(resource, old, looks, fresh);
  const seen = old && madeFrom.get(old);
  if (!old || !seen || !isSame(seen.news, looks.news)) return make();
  if (!isSameRevision(seen.revision, looks.revision)) outdated.push({ key, told: seen.revision, make });
  return old;
}

/** What waits to be written is not made again. */
function once(
  resource: Resource,
  old: StatusRecord | undefined,
  looks: Looks,
  fresh: () => StatusRecord,
): StatusRecord {
  const last = lastMade.get(resource);
  if (last && last.old === old && isSameLook(last.looks, looks)) return last.record;
  const record = fresh();
  madeFrom.set(record, looks);
  lastMade.set(resource, { old, looks, record });
  return record;
}

/** Nothing is another since then but which revision the node has. */
export function isNewerOnly(before: NodeState, now: NodeState, due: Revision | undefined): boolean {
  return isSame(newsOfNode(before, due), newsOfNode(now, due));
}

const isSameLook = (before: Looks, now: Looks) =>
  isSame(before.news, now.news) && isSameRevision(before.revision, now.revision);

function isSame(before: readonly unknown[], now: readonly unknown[]): boolean {
  return before.length === now.length && now.every((value, at) => value === before[at]);
}

export const isSameRevision = (before: Revision | undefined, now: Revision | undefined) =>
  before === now || (before !== undefined && now !== undefined && compareRevisions(before, now) === 0);
