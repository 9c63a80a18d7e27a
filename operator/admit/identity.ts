/** What a server would add to a manifest: uid, generation, time of creation. Made here so that a folder has them too. */

import type { Resource } from '../../contract/kinds/kinds.ts';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import type { Candidate } from './read-document.ts';
import { type AcceptedResource, resourceKey } from './snapshot.ts';

/**
 * The uid follows from the identity alone, so that an operator with an empty state folder gives the same one. A
 * PurgeJob's identity has its spec in it: a changed spec is another job.
 */
export function identify(
  candidate: Candidate,
  before: AcceptedResource | undefined,
  now: string,
): AcceptedResource {
  const { document, ref, spec, labels, annotations } = candidate;
  const key = resourceKey(ref);
  const uid = canonicalDigest(ref.kind === 'PurgeJob' ? [key, spec] : [key]).slice(0, 32);
  const known = before?.resource.metadata.uid === uid ? before.resource : undefined;
  const changed = known !== undefined && canonicalDigest(known.spec) !== canonicalDigest(spec);
  const metadata = {
    ...ref,
    uid,
    generation: (known?.metadata.generation ?? 1) + Number(changed),
    creationTimestamp: known?.metadata.creationTimestamp ?? now,
    labels,
    annotations,
  };
  const { kind, ...objectMeta } = metadata;
  const resource: Resource = { kind, metadata: objectMeta, spec };
  return { file: document.file, current: true, resource, ...(document.ownJob && { ownJob: true }) };
}
