/**
 * Admit: what a source gave, and what was accepted before, to one snapshot of accepted resources. Pure.
 *
 *     documents ─> read each alone ─> one per identity ─> references ─> hostname claims ─> snapshot
 *                        └────────────────── refused: its last accepted form, if there is one
 *
 * Bad input never breaks what works: a refused resource stays in force as it was, everything else goes on. Where all was
 * in order, and is, only the documents that changed go that way (edit.ts).
 */
import type { Problem } from '../../contract/problem.ts';
import type { Loaded } from '../source/source.ts';
import { contend, rememberTaken, withoutReplaced } from './contenders.ts';
import { admitEdit } from './edit.ts';
import { readDocument } from './read-document.ts';
import { admitConfig } from './settings.ts';
import { noteUndisputed, settleHostnames } from './settle-hostnames.ts';
import { settleQuarantine } from './settle-quarantine.ts';
import { settleReferences } from './settle-references.ts';
import {
  type Accepted,
  type AcceptedResource,
  type Admission,
  type Experience,
  NO_EXPERIENCE,
} from './snapshot.ts';
import { snapshotOf } from './snapshot-of.ts';

/** `earlier`: the admission that led to what was accepted before. */
export function admit(
  loaded: Loaded,
  before: Accepted,
  experience: Experience = NO_EXPERIENCE,
  earlier?: Admission,
): Admission {
  const edited = earlier?.accepted === before ? admitEdit(earlier, loaded, experience) : undefined;
  return edited ?? admitAll(loaded, before, experience);
}

function admitAll(loaded: Loaded, before: Accepted, experience: Experience): Admission {
  const problems: Problem[] = [];
  const config = admitConfig(loaded.config, before.config, problems);
  const readings = loaded.documents.map(readDocument);
  const accepted = { ...before, resources: withoutReplaced(before.resources, readings) };
  for (const reading of readings) if (reading.problems.length > 0) problems.push(...reading.problems);

  const { contenders, claimed: documents } = contend(readings, accepted, loaded.at, problems);
  const read = { loaded, documents };
  // Without settings nothing can be checked against them, so nothing new is accepted.
  if (!config) return admission(accepted, { problems, quarantined: new Map(), read });
  rememberTaken(contenders, accepted, experience);
  const quarantined = settleQuarantine(contenders, accepted, experience, problems);
  settleReferences(contenders, 'domains', config, accepted, problems);
  const contested = settleHostnames(contenders, accepted, problems);
  settleReferences(contenders, 'others', config, accepted, problems);
  const resources = new Map<string, AcceptedResource>();
  for (const [key, { form }] of contenders) resources.set(key, form);
  noteUndisputed(resources);
  return admission({ config, resources }, { problems, quarantined, read, contested });
}

type Findings = Pick<Admission, 'problems' | 'quarantined' | 'read' | 'contested'>;

function admission(accepted: Accepted, findings: Findings): Admission {
  findings.problems.sort(byPlace);
  return { config: accepted.config, snapshot: snapshotOf(accepted.resources), accepted, ...findings };
}

function byPlace(a: Problem, b: Problem): number {
  return a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1;
}
