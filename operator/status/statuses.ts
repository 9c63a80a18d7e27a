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
import { type AcceptedResource, type Admission, resourceKey } from '../admit/snapshot.ts';
import type { Publication } from '../publish/publication.ts';
import { type Around, aroundOf, type Looked, type StatusInput } from './around.ts';
import { content } from './content.ts';
import { inTurns, looksAt, type Outdated, recordOf } from './looks.ts';
import { record, type Statuses, type StatusRecord } from './record.ts';
import { refusedRecord } from './refused.ts';
import { isSettled, settle } from './settled.ts';
import { accepted } from './verdict.ts';

/** What the statuses are now. */
export interface Told {
  records: Statuses;
  /** Some nodes have a newer revision than their records say, which have to wait for their turn. */
  waiting: boolean;
}

export function statuses(input: StatusInput): Told {
  const { admission, publication, before, turns = Number.POSITIVE_INFINITY } = input;
  const earlier = passes.get(before);
  const goesOn = earlier?.admission === admission && earlier.publication === publication;
  const problems = problemsByResource(admission.problems);
  const around = aroundOf(input);
  const outdated: Outdated[] = [];
  const told = new Map<string, StatusRecord>();
  const open: Pass['open'] = [];
  for (const [key, form] of goesOn ? earlier.open : admission.accepted.resources) {
    const old = before.get(key);
    const own = problems.get(key);
    if (old && !own && isSettled(key, form, old, around)) told.set(key, old);
    else {
      open.push([key, form]);
      told.set(key, tell(key, { form, own, old }, around, outdated));
    }
  }
  for (const [key, own] of goesOn ? [] : problems) {
    const ref = own[0]?.ref;
    if (ref && !told.has(key)) told.set(key, refusedRecord(ref, own, input));
  }
  for (const { key, make } of inTurns(outdated, turns)) told.set(key, make());
  const records = goesOn ? patched(before, told) : told;
  passes.set(records, { admission, publication, open });
  return { records, waiting: outdated.length > turns };
}

/** What led to some records: while manifests and plans stay, only those are looked at that were not settled then. */
interface Pass {
  admission: Admission;
  publication: Publication;
  open: (readonly [string, AcceptedResource])[];
}

const passes = new WeakMap<Statuses, Pass>();

/** The very same where nothing changed. */
function patched(before: Statuses, changes: Statuses): Statuses {
  const changed = [...changes].filter(([key, record]) => before.get(key) !== record);
  if (changed.length === 0) return before;
  const after = new Map(before);
  for (const [key, record] of changed) after.set(key, record);
  return after;
}

type Row = Pick<Looked, 'form' | 'old'> & { own: readonly Problem[] | undefined };

function tell(key: string, { form, own = [], old }: Row, around: Around, outdated: Outdated[]): StatusRecord {
  const { admission } = around;
  const { resource, current } = form;
  // A file that no longer parses says nothing of this resource in particular.
  const faults = current ? [] : own.length > 0 ? own : unreadable(admission.problems);
  const looked: Looked = {
    key,
    form,
    old,
    acceptance: accepted(faults, true, admission.contested?.get(key)),
    // People compare what was observed with the generation of the manifest that they see, refused or not.
    generation: admission.observed?.get(key)?.generation ?? resource.metadata.generation,
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

const unreadable = (problems: readonly Problem[]) => problems.filter(({ ref }) => !ref).slice(0, 1);
