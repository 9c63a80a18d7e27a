/** An accepted form as it is written down, whatever into; read back, it is checked like any input. Pure. */
import { z } from 'zod';
import type { KindName } from '../../contract/kinds/kind.ts';
import { KIND_NAMES, KINDS, type Resource, type SpecOf } from '../../contract/kinds/kinds.ts';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import { memo } from '../../lib/memo.ts';
import type { AcceptedResource } from '../admit/snapshot.ts';

const labels = z.record(z.string(), z.string());
const storedResource = z.strictObject({
  kind: z.enum(KIND_NAMES),
  metadata: z.strictObject({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    generation: z.int(),
    creationTimestamp: z.string(),
    labels,
    annotations: labels,
  }),
  spec: z.unknown(),
});

const stored = z.strictObject({
  file: z.string(),
  ownJob: z.boolean().optional(),
  resource: storedResource,
  fallback: storedResource.optional(),
});

/** `current` is a finding of each admission, not part of the form. */
export function toStored({ file, ownJob, resource, fallback }: AcceptedResource) {
  return { file, ...(ownJob && { ownJob }), resource, ...(fallback && { fallback }) };
}

/** Throws when it is not one of ours. */
export function parseStored(value: unknown): AcceptedResource {
  const { file, ownJob, resource, fallback } = stored.parse(value);
  return {
    file,
    current: false,
    resource: readResource(resource),
    ...(fallback && { fallback: readResource(fallback) }),
    ...(ownJob && { ownJob }),
  };
}

function readResource({ kind, metadata, spec }: z.infer<typeof storedResource>): Resource {
  return { kind, metadata, spec: KINDS[kind].spec.parse(spec) as SpecOf[KindName] };
}

export const storedDigest = memo((form: AcceptedResource): string => canonicalDigest(toStored(form)));
