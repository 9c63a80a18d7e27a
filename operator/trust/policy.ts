/** What people said of trust, as it is in force: it is known where the manifests are, which is at the leader. */
import type { TrustConfig } from '../../contract/config/trust.ts';
import { incarnationOf } from '../../contract/trust/identity.ts';
import type { Admission } from '../admit/snapshot.ts';

export interface TrustPolicy extends TrustConfig {
  /** Of the EdgeNode that has the name now; nothing where there is none. */
  incarnation: (node: string) => string | undefined;
}

/** Nothing without valid settings. */
export function policyIn(admission: Admission | undefined): TrustPolicy | undefined {
  if (!admission?.config) return undefined;
  const { nodes } = admission.snapshot;
  return {
    ...admission.config.trust,
    incarnation(node) {
      const found = nodes.find(({ metadata }) => metadata.name === node);
      return found && incarnationOf(found.metadata);
    },
  };
}
