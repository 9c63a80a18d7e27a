/** Checks a whole plan that came over the stream or from disk: schema, then digest. Throws with all problems. Pure. */
import type { z } from 'zod';
import { invalidPlan } from '../contract/plans/invalid-plan.ts';
import { planDigest } from '../contract/plans/published-plan.ts';
import { PLAN_OF_ROLE, type Role } from '../contract/stream/messages.ts';
import type { PlanOf } from './agent.ts';

export function checkPlan<R extends Role>(role: R, value: unknown): PlanOf[R] {
  // The map from role to schema and the map from role to type are the same by construction, which TypeScript can't see.
  const schema = PLAN_OF_ROLE[role] as unknown as z.ZodType<PlanOf[R]>;
  const read = schema.safeParse(value);
  if (!read.success) throw invalidPlan(value, read.error, ['plan']);
  const published = read.data;
  const digest = planDigest(published.plan);
  if (digest !== published.digest)
    throw new Error(`digest is ${digest}, not ${published.digest} as announced`);
  return published;
}
