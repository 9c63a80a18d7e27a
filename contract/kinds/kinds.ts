/** The list of kinds, and what an object of each looks like. */
import type { CdnDomainSpec, CdnDomainStatus } from './cdn-domain.ts';
import { cdnDomain } from './cdn-domain.ts';
import type { CertificateSpec, CertificateStatus } from './certificate.ts';
import { certificate } from './certificate.ts';
import type { EdgeNodeSpec, EdgeNodeStatus } from './edge-node.ts';
import { edgeNode } from './edge-node.ts';
import type { KindDefinition, KindName } from './kind.ts';
import type { ObjectMeta } from './metadata.ts';
import type { PurgeJobSpec, PurgeJobStatus } from './purge-job.ts';
import { purgeJob } from './purge-job.ts';

export const KINDS = {
  CdnDomain: cdnDomain,
  EdgeNode: edgeNode,
  PurgeJob: purgeJob,
  Certificate: certificate,
} satisfies Record<KindName, KindDefinition>;

export const KIND_NAMES = Object.keys(KINDS) as [KindName, ...KindName[]];

export interface SpecOf {
  CdnDomain: CdnDomainSpec;
  EdgeNode: EdgeNodeSpec;
  PurgeJob: PurgeJobSpec;
  Certificate: CertificateSpec;
}

export interface StatusOf {
  CdnDomain: CdnDomainStatus;
  EdgeNode: EdgeNodeStatus;
  PurgeJob: PurgeJobStatus;
  Certificate: CertificateStatus;
}

/** A resource whose spec was checked and has its defaults. */
export interface Resource<K extends KindName = KindName> {
  kind: K;
  metadata: ObjectMeta;
  spec: SpecOf[K];
}

export type CdnDomain = Resource<'CdnDomain'>;
export type EdgeNode = Resource<'EdgeNode'>;
export type PurgeJob = Resource<'PurgeJob'>;
export type Certificate = Resource<'Certificate'>;

/** Finds a kind by what people type: `CdnDomain`, `cdndomains`, `cdn`; case does not matter. */
export function kindByName(name: string): KindDefinition | undefined {
  const wanted = name.toLowerCase();
  return Object.values<KindDefinition>(KINDS).find(({ kind, plural, shortNames }) =>
    [kind.toLowerCase(), plural, ...shortNames].includes(wanted),
  );
}
