/**
 * Status: what was admitted, published and decided, as the conditions that people read. Pure; a status that did not
 * change is the same object as before, so that nothing is written for it.
 *
 *     each accepted resource ─> settled? the record there is
 *                            ─> made of the same things (looks.ts)? the record there is
 *                            ─> content of its kind (content.ts) ─> a new record
 *     each refused one that was never accepted ─> why (refused.ts)
 */
import type { Problem } from '../../contract/problem.ts';
import { changedEntries, goneKeys, withEntries } from '../../lib/patched-map.ts';
import { type AcceptedResource, type Admission, isKind, resourceKey } from '../admit/snapshot.ts';
import type { NodeState } from '../decide/state.ts';
import { type Around, aroundOf, type Looked, type StatusInput } from './around.ts';
import { content } from './content.ts';
import { inTurns, isNewerOnly, isSameRevision, looksAt, type Outdated, recordOf } from './looks.ts';
import { revisionTold } from './node-status.ts';
import { record, type Statuses, type StatusRecord } from './record.ts';
import { refusedRecord } from './refused.ts';
import { isSettled, settle } from './settled.ts';
import { accepted } from './verdict.ts';

/** What the statuses are now. */
export interface Told {
  records: Statuses;
  /** Some nodes have a newer revision than their records say, which have to wait for their turn. */
  waiting: boolean;
  /** For the next look. */
  pass: Pass;
}

/** `earlier`: the pass before, of whose records `before` is what could be written, all or some of them. */
export function statuses(input: StatusInput, earlier?: Pass): Told {
  const { admission, publication, before, turns = Number.POSITIVE_INFINITY } = input;
  const rows = earlier && rowsSince(earlier, input);
  const goesOn = rows !== undefined;
  const problems = problemsByResource(admission.problems);
  const around = aroundOf(input);
  const isCalm = earlier?.health === around.health && earlier.due === around.due;
  const outdated: Outdated[] = [];
  /** Where the pass goes on, only what changed. */
  const told = new Map<string, StatusRecord>();
  const open: OpenRow[] = [];
  for (const row of rows ?? rowsOf(admission)) {
    const { key, form } = row;
    const old = before.get(key);
    const own = problems.get(key);
    const asSeen = isCalm && old && !own ? stillSeen(row, old, around) : undefined;
    if (asSeen) {
      open.push(asSeen);
      if (asSeen.seen?.outdated) outdated.push(asSeen.seen.outdated);
    } else if (old && !own && isSettled(key, form, old, around)) {
      if (!goesOn) told.set(key, old);
    } else {
      const waiting = outdated.length;
      const record = tell(key, { form, own, old }, around, outdated);
      if (!goesOn || record !== old) told.set(key, record);
      open.push({ key, form, seen: seenOf(form, record, outdated[waiting], around) });
    }
  }
  for (const [key, own] of problems) {
    const ref = own[0]?.ref;
    if (ref && !admission.accepted.resources.has(key)) told.set(key, refusedRecord(ref, own, input));
  }
  for (const { key, make } of inTurns(outdated, turns)) told.set(key, make());
  const records = rows ? withEntries(withoutGone(before, earlier, admission), told) : told;
  const pass = { admission, publication, health: around.health, due: around.due, open };
  return { records, waiting: outdated.length > turns, pass };
}

/** What led to some records: of the next ones, few can be others. */
export interface Pass extends Pick<Around, 'admission' | 'publication' | 'health' | 'due'> {
  open: readonly OpenRow[];
}

interface OpenRow {
  key: string;
  form: AcceptedResource;
  seen?: Seen | undefined;
}

/** Of an EdgeNode: all that it was told by, beside what is the same for the whole pass. */
interface Seen {
  node: NodeState | undefined;
  record: StatusRecord;
  outdated: Outdated | undefined;
}

/**
 * What may be told otherwise than in the pass before: while manifests and plans stay, what was not settled then; after an
 * edit, what it is of as well. Nothing where that is not known.
 */
function rowsSince(earlier: Pass, { admission, publication }: StatusInput): readonly OpenRow[] | undefined {
  if (earlier.admission === admission && earlier.publication === publication) return earlier.open;
  if (earlier.admission.config !== admission.config) return undefined;
  if (!isInOrder(earlier.admission) || !isInOrder(admission)) return undefined;
  const { resources } = admission.accepted;
  const changed = new Map(changedEntries(earlier.admission.accepted.resources, resources));
  const kept = earlier.open.filter(({ key }) => resources.has(key) && !changed.has(key));
  const rows = [...kept, ...[...changed].map(([key, form]) => ({ key, form }))];
  const uids = new Set(rows.map(({ form }) => form.resource.metadata.uid));
  for (const [uid] of changedEntries(earlier.publication.history, publication.history))
    if (!uids.has(uid)) return undefined;
  return rows;
}

const isInOrder = ({ problems, quarantined, contested }: Admission) =>
  problems.length === 0 && quarantined.size === 0 && (contested?.size ?? 0) === 0;

function withoutGone(before: Statuses, earlier: Pass | undefined, { accepted }: Admission): Statuses {
  const gone = earlier ? goneKeys(earlier.admission.accepted.resources, accepted.resources) : [];
  if (gone.length === 0) return before;
  const after = new Map(before);
  for (const key of gone) after.delete(key);
  return after;
}

function* rowsOf({ accepted: { resources } }: Admission): Generator<OpenRow> {
  for (const [key, form] of resources) yield { key, form };
}

function seenOf(
  { resource }: AcceptedResource,
  record: StatusRecord,
  outdated: Outdated | undefined,
  { state }: Around,
): Seen | undefined {
  if (!isKind(resource, 'EdgeNode')) return undefined;
  return { node: state.nodes.get(resource.metadata.name), record, outdated };
}

/** Of a thousand nodes few say something between two looks, or all of them that they have a plan. Nothing for news. */
function stillSeen(row: OpenRow, old: StatusRecord, around: Around): OpenRow | undefined {
  const { key, form, seen } = row;
  if (seen?.record !== old) return undefined;
  const node = around.state.nodes.get(form.resource.metadata.name);
  if (node === seen.node) return row;
  if (!node || !seen.node || !isNewerOnly(seen.node, node, around.due)) return undefined;
  const told = seen.outdated ? seen.outdated.told : revisionTold(seen.node);
  const isTold = isSameRevision(told, revisionTold(node));
  const make = () => tellNow(key, { form, own: undefined, old }, around);
  return { key, form, seen: { node, record: old, outdated: isTold ? undefined : { key, told, make } } };
}

/** Whosever turn it is. */
function tellNow(key: string, row: Row, around: Around): StatusRecord {
  const outdated: Outdated[] = [];
  const record = tell(key, row, around, outdated);
  return outdated[0]?.make() ?? record;
}

type Row = Pick<Looked, 'form' | 'old'> & { own: readonly Problem[] | undefined };

function tell(key: string, { form, own = [], old }: Row, around: Around, outdated: Outdated[]): StatusRecord {
  const { admission } = around;
  const { resource, current } = form;
  // A file that no longer parses says nothing of this resource in particular.
  const faults = current ? [] : own.length > 0 ? own : unreadable(admission.problems, form.file);
  const looked: Looked = {
    key,
    form,
    old,
    acceptance: accepted(faults, true, admission.contested?.get(key)),
    // People compare what was observed with the generation of the manifest that they see, refused or not.
    generation: admission.read?.documents.get(key)?.server?.generation ?? resource.metadata.generation,
  };
  const row = recordOf(looked, { looks: looksAt(looked, around), outdated }, () =>
    record(resource, looked.generation, content(looked, around), old),
  );
  if (row === old && own.length === 0) settle(key, form, row, around);
  return row;
}

function problemsByResource(problems: readonly Problem[]): Map<string, Problem[]> {
  const byKey = new Map<string, Problem[]>();
  for (const problem of problems) {
    // A second document with the same identity is wrong; the first is none the worse for it.
    if (!problem.ref || problem.reason === 'Duplicate') continue;
    const key = resourceKey(problem.ref);
    byKey.set(key, [...(byKey.get(key) ?? []), problem]);
  }
  return byKey;
}

/** Of its own file: another that nobody can read is no reason for what stands here. */
const unreadable = (problems: readonly Problem[], of: string) =>
  problems.filter(({ ref, file }) => !ref && file === of).slice(0, 1);
