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
import { resourceKey } from '../admit/snapshot.ts';
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
  const { admission, before, turns = Number.POSITIVE_INFINITY } = input;
  const problems = problemsByResource(admission.problems);
  const around = aroundOf(input);
  const outdated: Outdated[] = [];
  const records = new Map<string, StatusRecord>();
  for (const [key, form] of admission.accepted.resources) {
    const old = before.get(key);
    const own = problems.get(key);
    const row = old && !own && isSettled(key, form, old, around) ? old : undefined;
    records.set(key, row ?? tell(key, { form, own, old }, around, outdated));
  }
  for (const [key, own] of problems) {
    const ref = own[0]?.ref;
    if (ref && !records.has(key)) records.set(key, refusedRecord(ref, own, input));
  }
  for (const { key, make } of inTurns(outdated, turns)) records.set(key, make());
  return { records, waiting: outdated.length > turns };
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
