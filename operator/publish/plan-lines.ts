/**
 * Plans as the lines that go out: whole, or as a delta against what an agent holds. Each is made once, however many
 * agents it goes to. The last plans of each role are remembered, so that an agent that is some changes behind is sent
 * those and no more.
 */
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import type { ContractVersion } from '../../contract/stream/messages.ts';
import { planFor } from '../../contract/stream/versions.ts';
import { ndjsonLine } from '../../lib/ndjson.ts';
import { planDelta } from './plan-diff.ts';

/** Plans share the parts that did not change, so that each costs a list of pointers. */
const REMEMBERED = 32;

/** What an agent has, as far as it is known. */
export interface HeldPlan {
  digest: string;
  /** The run of the operator that published it to the agent. */
  run: string;
}

export interface PlanLine {
  line: Buffer;
  /** It may be large. */
  isWhole: boolean;
}

export class PlanLines {
  /** By digest, oldest first. Plans of both roles: a digest says which. */
  readonly #known = new Map<string, PublishedPlan>();
  readonly #lines = new WeakMap<PublishedPlan, Map<string, Buffer>>();

  lineFor(plan: PublishedPlan, held: HeldPlan | undefined, contract: ContractVersion): PlanLine {
    this.#remember(plan);
    const base = held && contract >= 2 ? this.#known.get(held.digest) : undefined;
    if (!held || !base) {
      const published = () => planFor(contract, plan);
      const line = this.#line(plan, `whole ${contract}`, () => ({ type: 'plan', published: published() }));
      return { line, isWhole: true };
    }
    const sameRun = held.run === plan.run;
    const line = this.#line(plan, `${base.digest} ${sameRun}`, () => deltaMessage(base, plan, sameRun));
    return { line, isWhole: false };
  }

  #remember(plan: PublishedPlan): void {
    if (this.#known.get(plan.digest) === plan) return;
    this.#known.delete(plan.digest);
    this.#known.set(plan.digest, plan);
    const [oldest] = this.#known.keys();
    if (this.#known.size > 2 * REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
  }

  #line(plan: PublishedPlan, key: string, make: () => object): Buffer {
    const lines = this.#lines.get(plan) ?? new Map<string, Buffer>();
    this.#lines.set(plan, lines);
    const line = lines.get(key) ?? Buffer.from(ndjsonLine(make()));
    lines.set(key, line);
    return line;
  }
}

/** An agent that another run served keeps what that run said beside the plan: it gets all of ours. */
function deltaMessage(base: PublishedPlan, plan: PublishedPlan, sameRun: boolean): object {
  const delta = planDelta(base, plan);
  if (!delta) return { type: 'plan', published: plan };
  if (sameRun || !('since' in plan)) return { type: 'delta', delta };
  return { type: 'delta', delta: { ...delta, since: { keep: false, set: plan.since, gone: [] } } };
}
