/** A plan as it travels and as it lies on an agent's disk: content, digest, revision, and `since` of its domains. */
import { z } from 'zod';
import { canonicalDigest, canonicalJson, sha256Hex } from '../../lib/canonical-json.ts';
import { memo } from '../../lib/memo.ts';
import { edgePlan } from './edge-plan.ts';
import { revision } from './revision.ts';
import { routingPlan } from './routing-plan.ts';

const envelope = {
  revision,
  /** `planDigest` of the content; what lies beside it here is not part of it. */
  digest: z.string().length(64),
  /** The run of the operator that published it. Revisions of two runs compare only when the later knew the earlier. */
  run: z.string(),
};

/**
 * `since`: by domain uid, the revision of the first edge plan that has it. A node may answer for a domain once its
 * acked revision reaches that. It lies beside the plan, since it depends on what was published, not on the snapshot.
 */
export const publishedRoutingPlan = z.strictObject({
  ...envelope,
  plan: routingPlan,
  since: z.record(z.string(), revision),
});

export const publishedEdgePlan = z.strictObject({ ...envelope, plan: edgePlan });

export type PublishedRoutingPlan = z.infer<typeof publishedRoutingPlan>;
export type PublishedEdgePlan = z.infer<typeof publishedEdgePlan>;
export type PublishedPlan = PublishedRoutingPlan | PublishedEdgePlan;

/**
 * SHA-256 over the digests of a plan's parts, one line a part: a change of one domain among ten thousand can be
 * checked without hashing the others again. Equal plans have equal digests, whatever order their keys came in.
 */
export function planDigest(plan: object): string {
  const lines: string[] = [];
  for (const [section, value] of Object.entries(plan).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!Array.isArray(value)) lines.push(`${section} ${canonicalJson(value)}`);
    else for (const part of value) lines.push(`${section} ${partDigest(part)}`);
  }
  return sha256Hex(lines.join('\n'));
}

/**
 * Parts are values that nobody changes, and one plan passes those on to the next that did not change: each is hashed
 * once, however many plans it is part of.
 */
const digestOnce = memo<object, string>(canonicalDigest);

export function partDigest(part: unknown): string {
  return part !== null && typeof part === 'object' ? digestOnce(part) : canonicalDigest(part);
}
