/** What admit hands on: everything that is in force at one moment, sorted, whatever source it came from. */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { KindName } from '../../contract/kinds/kind.ts';
import type { CdnDomain, Certificate, EdgeNode, PurgeJob, Resource } from '../../contract/kinds/kinds.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';
import type { Problem } from '../../contract/problem.ts';
import { memo } from '../../lib/memo.ts';
import type { Quarantined } from '../decide/quarantine.ts';
import type { Loaded, SourceDocument } from '../source/source.ts';

export interface Snapshot {
  domains: CdnDomain[];
  nodes: EdgeNode[];
  jobs: PurgeJob[];
  certificates: Certificate[];
}

/** A resource in its last accepted form, and which file gave it: a file that no longer parses keeps what it gave. */
export interface AcceptedResource {
  file: string;
  /** False while the manifest holds something else that was refused. */
  current: boolean;
  resource: Resource;
  /** The form before this one that an agent took: what comes back, should agents refuse this one. */
  fallback?: Resource;
  ownJob?: boolean;
}

/** What agents made of forms that were accepted. */
export interface Experience {
  /** The form that agents refused, by `resourceKey`. */
  quarantined: ReadonlyMap<string, Quarantined>;
  /** Whether agents took the form in force. */
  isTaken: (key: string) => boolean;
}

export const NO_EXPERIENCE: Experience = { quarantined: new Map(), isTaken: () => false };

/** All that was accepted so far, by `resourceKey`. What must survive a restart of the operator. */
export interface Accepted {
  config: WeirConfig | undefined;
  resources: ReadonlyMap<string, AcceptedResource>;
}

export const NOTHING_ACCEPTED: Accepted = { config: undefined, resources: new Map() };

export interface Admission {
  /** Nothing until there is a valid weir.yaml. */
  config: WeirConfig | undefined;
  snapshot: Snapshot;
  problems: Problem[];
  accepted: Accepted;
  /** What stands in a manifest and is not in force since agents refused it, by `resourceKey`. */
  quarantined: ReadonlyMap<string, Quarantined>;
  /**
   * What was read, and by `resourceKey` the document of each. The API server says of a refused manifest a generation
   * that its accepted form has not; a folder has no server that says anything.
   */
  read?: { loaded: Loaded; documents: ReadonlyMap<string, SourceDocument> };
  /** By `resourceKey` of a CdnDomain that keeps a hostname: who else claims it. */
  contested?: ReadonlyMap<string, readonly Claim[]>;
}

/** Somebody's claim to a hostname that another domain has. */
export interface Claim {
  hostname: string;
  by: ObjectRef;
}

export function resourceKey({ kind, namespace, name }: ObjectRef): string {
  return `${kind}/${namespace}/${name}`;
}

/** Asked for ten thousand resources at each moment: one string for each, whose hash is known. */
export const keyOf = memo((resource: Resource): string => resourceKey(refOf(resource)));

export function refOf({ kind, metadata: { namespace, name } }: Resource): ObjectRef {
  return { kind, namespace, name };
}

export function isKind<K extends KindName>(resource: Resource, kind: K): resource is Resource<K> {
  return resource.kind === kind;
}
