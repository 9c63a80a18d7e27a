/** What a server adds to a manifest: uid, generation, time of creation. Made here so that a folder has them too. */

import type { Resource } from '../../contract/kinds/kinds.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';
import { partDigest } from '../../contract/plans/published-plan.ts';
import { canonicalDigest, canonicalJson } from '../../lib/canonical-json.ts';
import type { Candidate } from './read-document.ts';
import { type AcceptedResource, resourceKey } from './snapshot.ts';

/**
 * The uid of a domain or node follows from its name alone, so that an operator with an empty state folder gives the
 * same one. A PurgeJob is another job when its spec changes, or when it comes back after it was away: agents remember
 * the uids that they applied, and would answer an old one at once.
 */
export function identify(
  candidate: Candidate,
  before: AcceptedResource | undefined,
  now: string,
): AcceptedResource {
  if (before?.current && madeOf.get(before) === candidate) return before;
  const form = formOf(candidate, before, now);
  madeOf.set(form, candidate);
  return form;
}

/** A candidate that is still the same makes the same form: what is made of that further on is not made again. */
const madeOf = new WeakMap<AcceptedResource, Candidate>();

function formOf(candidate: Candidate, before: AcceptedResource | undefined, now: string): AcceptedResource {
  const { document, ref, spec, labels, annotations } = candidate;
  const { kind, ...name } = ref;
  const sameSpec = before !== undefined && partDigest(before.resource.spec) === partDigest(spec);
  const known = before && (kind !== 'PurgeJob' || sameSpec) ? before.resource.metadata : undefined;
  const made = {
    uid: known?.uid ?? makeUid(ref, now),
    generation: known ? known.generation + Number(!sameSpec) : 1,
    creationTimestamp: known?.creationTimestamp ?? now,
  };
  const metadata = { ...name, ...(document.server ?? made), labels, annotations };
  const resource: Resource = { kind, metadata, spec };
  if (before?.current && before.file === document.file && isSame(before.resource, resource)) return before;
  return { file: document.file, current: true, resource, ...(document.ownJob && { ownJob: true }) };
}

function isSame(before: Resource, now: Resource): boolean {
  return (
    partDigest(before.spec) === partDigest(now.spec) &&
    canonicalJson(before.metadata) === canonicalJson(now.metadata)
  );
}

function makeUid(ref: ObjectRef, now: string): string {
  const key = resourceKey(ref);
  return canonicalDigest(ref.kind === 'PurgeJob' ? [key, now] : [key]).slice(0, 32);
}
