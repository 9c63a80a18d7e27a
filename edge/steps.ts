/**
 * Steps of the request's path that depend on who asks and for what, between the cache rule and the cache: what access
 * rules are, redirects, limits by domain. Each ends a request with an answer of its own, or lets it go on; the first that
 * answers wins.
 *
 * To add one:
 * 1. A pure function of its own decides (in a folder named for the feature, with its tests).
 * 2. A `Step` asks it, and makes an answer of a refusal (`textAnswer`). It stands in `STEPS`, at its place in the order.
 * 3. `concerns` says for which domains. Requests of these never are ready hits (answer/ready-hits.ts): the fast path
 *    knows no step. A step that concerns every domain gives the fast path up for all of them.
 * 4. What it needs of the CdnDomain goes through contract/kinds, operator/compile and contract/plans/edge-plan.ts to
 *    plan/served-plan.ts, where it is made ready once per plan.
 *
 * Prefetches come this way as well: their request has an empty `clientAddress`. `steps.test.ts` does all of it.
 */
import type { Answer } from './answer/answer.ts';
import type { Exchange } from './exchange.ts';
import type { ServedDomain } from './plan/served-plan.ts';

export interface Step {
  concerns(domain: ServedDomain): boolean;
  /** Nothing: the request goes on. */
  run(exchange: Exchange): Answer | undefined | Promise<Answer | undefined>;
}

/** In the order in which they are asked. */
export const STEPS: readonly Step[] = [];

export async function firstAnswer(steps: readonly Step[], exchange: Exchange): Promise<Answer | undefined> {
  for (const step of steps) {
    const answer = step.concerns(exchange.domain) ? await step.run(exchange) : undefined;
    if (answer !== undefined) return answer;
  }
  return undefined;
}
