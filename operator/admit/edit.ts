/**
 * The admission after an edit: some of ten thousand documents are others than before. Only those are read, checked and
 * put into the snapshot, for as long as all is in order; whatever is not, admit looks at as a whole. Pure: gives what
 * that would, and its test holds it to that.
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { Resource } from '../../contract/kinds/kinds.ts';
import { withEntry } from '../../lib/patched-map.ts';
import type { Loaded, SourceDocument } from '../source/source.ts';
import { withFallback } from './contenders.ts';
import { identify } from './identity.ts';
import { type Reading, readDocument } from './read-document.ts';
import type { Surroundings } from './references.ts';
import { claimsMore, noteUndisputed } from './settle-hostnames.ts';
import { faultsOf } from './settle-references.ts';
import { type Accepted, type Admission, type Experience, isKind, resourceKey } from './snapshot.ts';
import { edited } from './snapshot-of.ts';

/** More than these are not an edit. */
const MOST = 100;

/** Nothing where it takes a look at the whole. */
export function admitEdit(earlier: Admission, loaded: Loaded, experience: Experience): Admission | undefined {
  const { config, accepted, read } = earlier;
  if (!config || !read || !isInOrder(earlier, experience) || read.loaded.config !== loaded.config)
    return undefined;
  const { gone, come } = differences(read.loaded.documents, loaded.documents);
  if (gone.length + come.length > MOST) return undefined;
  const left = new Set(gone.map((document) => readDocument(document).key ?? ''));
  let { resources } = accepted;
  let { documents } = read;
  for (const reading of come.map(readDocument)) {
    const { key = '', document } = reading;
    if (documents.has(key) && !left.delete(key)) return undefined;
    const form = formOf(reading, accepted, loaded.at, experience);
    if (!form || claimsMore(form, resources.get(key)) || isFaulty(form.resource, config)) return undefined;
    resources = withEntry(resources, key, form);
    documents = withEntry(documents, key, document);
  }
  [resources, documents] = [without(resources, left), without(documents, left)];
  const snapshot = edited(earlier.snapshot, accepted.resources, resources);
  const domain: Surroundings['domain'] = (namespace, name) => {
    const found = resources.get(resourceKey({ kind: 'CdnDomain', namespace, name }))?.resource;
    return found && isKind(found, 'CdnDomain') ? found : undefined;
  };
  // What a job is for may be gone.
  if (snapshot.jobs.some((job) => faultsOf(job, { config, domain }).length > 0)) return undefined;
  noteUndisputed(resources);
  return { ...earlier, snapshot, accepted: { config, resources }, read: { loaded, documents } };
}

function isInOrder(
  { problems, quarantined, contested }: Admission,
  { quarantined: refused }: Experience,
): boolean {
  return problems.length === 0 && quarantined.size === 0 && refused.size === 0 && contested?.size === 0;
}

/** A job is looked at beside the domains that come out. */
const isFaulty = (resource: Resource, config: WeirConfig) =>
  resource.kind !== 'PurgeJob' && faultsOf(resource, { config, domain: () => undefined }).length > 0;

/** The documents of one moment that are not in the other. Most stand before and behind what changed, the very same. */
function differences(before: readonly SourceDocument[], after: readonly SourceDocument[]) {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const [old, fresh] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  const [known, here] = [new Set(old), new Set(fresh)];
  return { gone: old.filter((row) => !here.has(row)), come: fresh.filter((row) => !known.has(row)) };
}

/** Nothing where the document does not read, or is of another object under the name. */
function formOf(
  { key, candidate, problems, document: { server } }: Reading,
  { resources }: Accepted,
  at: string,
  experience: Experience,
) {
  if (key === undefined || !candidate || problems.length > 0) return undefined;
  const before = resources.get(key);
  if (before && server && before.resource.metadata.uid !== server.uid) return undefined;
  return withFallback(key, identify(candidate, before, at), before, experience);
}

function without<V>(map: ReadonlyMap<string, V>, keys: ReadonlySet<string>): ReadonlyMap<string, V> {
  return keys.size === 0 ? map : new Map([...map].filter(([key]) => !keys.has(key)));
}
