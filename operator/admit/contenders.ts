/** Who wants to be in force: one form for each identity, on its way through the checks. Pure. */
import type { CdnDomain } from '../../contract/kinds/kinds.ts';
import { partDigest } from '../../contract/plans/published-plan.ts';
import type { Problem } from '../../contract/problem.ts';
import type { SourceDocument } from '../source/source.ts';
import { identify } from './identity.ts';
import { problemAt, type Reading } from './read-document.ts';
import { type Accepted, type AcceptedResource, type Experience, isKind } from './snapshot.ts';

/** A resource on its way: the form that is looked at, and where its manifest stands. */
export interface Contender {
  form: AcceptedResource;
  document: SourceDocument | undefined;
}

/** One contender per identity: the first document by path, or the last accepted form of what can not be read now. */
export function contend(
  readings: Reading[],
  accepted: Accepted,
  now: string,
  problems: Problem[],
): { contenders: Map<string, Contender>; claimed: ReadonlyMap<string, SourceDocument> } {
  const contenders = new Map<string, Contender>();
  const claimed = new Map<string, SourceDocument>();
  for (const { document, ref, key, candidate } of readings) {
    if (!ref || key === undefined) continue;
    const first = claimed.get(key);
    if (first) {
      const message = `stands in ${first.file}:${first.line([])} already, which comes first by path`;
      problems.push(problemAt(document, ['metadata', 'name'], 'Duplicate', message, ref));
      continue;
    }
    claimed.set(key, document);
    const before = accepted.resources.get(key);
    if (candidate) contenders.set(key, { form: identify(candidate, before, now), document });
    else if (before) contenders.set(key, { form: { ...before, current: false }, document });
  }
  keepUnreadable(readings, accepted, contenders, claimed);
  return { contenders, claimed };
}

/** A document that does not say what it is may be any that its file gave: none of those counts as deleted. */
function keepUnreadable(
  readings: Reading[],
  accepted: Accepted,
  contenders: Map<string, Contender>,
  claimed: ReadonlyMap<string, SourceDocument>,
): void {
  const unreadable = new Map(
    readings.filter(({ ref }) => !ref).map(({ document }) => [document.file, document]),
  );
  if (unreadable.size === 0) return;
  for (const [key, before] of accepted.resources) {
    const document = unreadable.get(before.file);
    if (document && !claimed.has(key)) contenders.set(key, { form: { ...before, current: false }, document });
  }
}

/** An object that was deleted and made again under its name is another: what the old one said is in force no more. */
export function withoutReplaced(
  resources: Accepted['resources'],
  readings: readonly Reading[],
): Accepted['resources'] {
  const replaced = readings.filter(({ key, document: { server } }) => {
    const before = key === undefined || !server ? undefined : resources.get(key);
    return before && before.resource.metadata.uid !== server?.uid;
  });
  if (replaced.length === 0) return resources;
  const kept = new Map(resources);
  for (const { key = '' } of replaced) kept.delete(key);
  return kept;
}

/** A new form stands beside the one before it until it is known whether agents take it. */
export function rememberTaken(
  contenders: Map<string, Contender>,
  accepted: Accepted,
  experience: Experience,
): void {
  for (const [key, contender] of contenders) {
    const form = withFallback(key, contender.form, accepted.resources.get(key), experience);
    if (form !== contender.form) contenders.set(key, { ...contender, form });
  }
}

export function withFallback(
  key: string,
  form: AcceptedResource,
  before: AcceptedResource | undefined,
  { isTaken }: Experience,
): AcceptedResource {
  if (!before || before === form || !form.current || form.resource.kind === 'PurgeJob') return form;
  const isNew = partDigest(form.resource.spec) !== partDigest(before.resource.spec);
  const fallback = isNew && (isTaken(key) || !before.fallback) ? before.resource : before.fallback;
  return fallback === form.fallback ? form : { ...form, ...(fallback && { fallback }) };
}

/** Back to the last accepted form; out, when that is the one refused or there is none. */
export function refuse(
  contenders: Map<string, Contender>,
  key: string,
  contender: Contender,
  accepted: Accepted,
): void {
  const before = accepted.resources.get(key);
  if (before && contender.form.current)
    contenders.set(key, { ...contender, form: { ...before, current: false } });
  else contenders.delete(key);
}

export function domainOf(contender: Contender | undefined): CdnDomain | undefined {
  const resource = contender?.form.resource;
  return resource && isKind(resource, 'CdnDomain') ? resource : undefined;
}
