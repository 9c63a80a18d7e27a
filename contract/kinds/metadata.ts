/** What every object carries beside its spec. */
import { z } from 'zod';
import type { KindDefinition, KindName } from './kind.ts';
import { API_VERSION } from './kind.ts';
import { dnsLabel } from './scalars.ts';

const labels = z.record(z.string().min(1).max(317), z.string().max(63));

/** Fields that only a server sets. Manifests exported with `kubectl get -o yaml` have them; they are read over. */
const serverFields = {
  uid: z.unknown().optional(),
  generation: z.unknown().optional(),
  creationTimestamp: z.unknown().optional(),
  resourceVersion: z.unknown().optional(),
  managedFields: z.unknown().optional(),
  ownerReferences: z.unknown().optional(),
  finalizers: z.unknown().optional(),
};

/** Allowed, but nothing to recommend to someone who mistyped another field. */
export const SERVER_KEYS: ReadonlySet<string> = new Set([...Object.keys(serverFields), 'status']);

const common = {
  name: dnsLabel,
  labels: labels.optional(),
  annotations: z.record(z.string().min(1).max(317), z.string().max(262_144)).optional(),
  ...serverFields,
};

/** Namespaces become a label of `<name>.<namespace>.<zone>`; `node` is taken by `<name>.node.<zone>`. */
const namespace = dnsLabel.refine((name) => name !== 'node', 'not `node`: nodes are named there in DNS');

/** One whole manifest of a kind, as it stands in a folder. Unknown keys are refused. */
export function manifestSchema(definition: KindDefinition) {
  const metadata =
    definition.scope === 'Namespaced'
      ? z.strictObject({ ...common, namespace: namespace.default('default') })
      : z.strictObject(common);
  return z.strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(definition.kind),
    metadata,
    spec: definition.spec,
    /** Read over: the status is ours to write. */
    status: z.unknown().optional(),
  });
}

export interface ObjectMeta {
  name: string;
  /** Empty for kinds that belong to no namespace. */
  namespace: string;
  /** Stays the same as long as the object does; in a folder it is made from the identity. */
  uid: string;
  generation: number;
  /** RFC 3339; in a folder the time it was first seen. */
  creationTimestamp: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface ObjectRef {
  kind: KindName;
  namespace: string;
  name: string;
}

/** `CdnDomain demo/video`, `EdgeNode zz-1`: how messages name an object. */
export function formatRef({ kind, namespace, name }: ObjectRef): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
