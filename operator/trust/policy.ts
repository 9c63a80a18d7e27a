/**
 * What people said of trust, as it is in force: it is known where the manifests are, which is at the leader; other
 * replicas that serve agents are told.
 */
import { z } from 'zod';
import { type TrustConfig, trust } from '../../contract/config/trust.ts';
import { incarnationOf } from '../../contract/trust/identity.ts';
import { memo, memoWith } from '../../lib/memo.ts';
import type { Admission } from '../admit/snapshot.ts';

export interface TrustPolicy extends TrustConfig {
  /** Of the EdgeNode that has the name now; nothing where there is none. */
  incarnation: (node: string) => string | undefined;
}

/** The same as data. */
export const toldPolicy = z.object({
  ...trust.shape,
  /** By EdgeNode. */
  incarnations: z.record(z.string(), z.string()),
});
export type ToldPolicy = z.output<typeof toldPolicy>;

const incarnation = memo(incarnationOf);

/** Nothing without valid settings; the very same for as long as nothing of it changed. */
export function policyIn(admission: Admission | undefined): ToldPolicy | undefined {
  return admission?.config && policyFor(admission.snapshot.nodes, admission.config.trust);
}

const policyFor = memoWith((nodes: Admission['snapshot']['nodes'], config: TrustConfig): ToldPolicy => {
  const incarnations = nodes.map(({ metadata }) => [metadata.name, incarnation(metadata)] as const);
  return { ...config, incarnations: Object.fromEntries(incarnations) };
});

/** Asked at each request. */
export const policyOf = memo(
  ({ incarnations, ...config }: ToldPolicy): TrustPolicy => ({
    ...config,
    incarnation: (node) => (Object.hasOwn(incarnations, node) ? incarnations[node] : undefined),
  }),
);
