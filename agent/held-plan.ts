/**
 * The plan in force: what comes is verified, prepared, written down with an fsync, and only then put in the place of the
 * one held. What fails before changes nothing, and is told to the operator.
 */
import { InvalidPlan } from '../contract/plans/invalid-plan.ts';
import { applyDelta, type PlanDelta, Unmatched } from '../contract/plans/plan-delta.ts';
import { compareRevisions, formatRevision, NO_REVISION, type Revision } from '../contract/plans/revision.ts';
import { MAX_NAMED, PLAN_OF_ROLE, type Report, type Role } from '../contract/stream/messages.ts';
import { latest } from '../lib/latest.ts';
import type { Log } from '../lib/log.ts';
import { messageOf } from '../lib/message-of.ts';
import { type AgentOptions, LocalFault, type PlanOf } from './agent.ts';
import { checkPlan } from './check-plan.ts';
import type { HeldFiles, Merge } from './held-files.ts';

/** What came over the stream: a plan whole, or what leads to it from the one held. */
export type PlanOffer = { published: unknown } | { delta: PlanDelta };

interface HeldPlanOptions<R extends Role> {
  role: R;
  files: Pick<HeldFiles<R>, 'readPlan' | 'writePlan'>;
  merge: Merge<R>;
  prepare: AgentOptions<R>['prepare'];
  /** Those that came before a plan may be its certificates. */
  secretsTaken: () => Promise<void>;
  report: (report: Report) => void;
  log: Log;
}

export class HeldPlan<R extends Role> {
  readonly #options: HeldPlanOptions<R>;
  readonly #offers = latest((offer: PlanOffer) => this.#take(offer));
  #held: PlanOf[R] | undefined;

  constructor(options: HeldPlanOptions<R>) {
    this.#options = options;
  }

  get held(): PlanOf[R] | undefined {
    return this.#held;
  }

  async load(): Promise<void> {
    const { files, prepare, log } = this.#options;
    const stored = await files.readPlan();
    if (!stored) return;
    try {
      const commit = await prepare(stored);
      this.#held = stored;
      await commit();
      log.info({ revision: formatRevision(stored.revision) }, 'plan from disk in force');
    } catch (error) {
      log.error({ err: error }, 'the plan on disk can not be put in force; waiting for the operator');
    }
  }

  offer(offer: PlanOffer): void {
    this.#offers.offer(offer);
  }

  idle(): Promise<void> {
    return this.#offers.idle();
  }

  async #take(offer: PlanOffer): Promise<void> {
    const { secretsTaken, report } = this.#options;
    const revision = 'delta' in offer ? offer.delta.revision : revisionOf(offer.published);
    await secretsTaken();
    try {
      await this.#putInForce(offer);
      report({ type: 'ack', revision: this.#held?.revision ?? NO_REVISION });
    } catch (error) {
      this.#refuse(revision, error);
    }
  }

  /** Verify, prepare, write and fsync, commit. Throws before anything changed, or not at all. */
  async #putInForce(offer: PlanOffer): Promise<void> {
    const { files, merge, prepare, log } = this.#options;
    const held = this.#held;
    const newer = this.#read(offer);
    if (held && compareRevisions(newer.revision, held.revision) < 0) {
      const [offered, kept] = [newer.revision, held.revision].map(formatRevision);
      throw new LocalFault(`revision ${offered} is lower than ${kept}, which is held`);
    }
    const merged = held ? merge(held, newer) : newer;
    // Equal content only gets its new revision written down: nothing is prepared or swapped.
    const commit = held?.digest === newer.digest ? () => {} : await prepare(merged);
    const step = held && 'delta' in offer ? { from: held.revision, delta: offer.delta } : undefined;
    await files.writePlan(merged, step).catch(toLocalFault);
    this.#held = merged;
    await commit();
    log.info(
      { revision: formatRevision(merged.revision), digest: merged.digest.slice(0, 12) },
      'plan in force',
    );
  }

  #read(offer: PlanOffer): PlanOf[R] {
    const { role } = this.#options;
    if ('published' in offer) return checkPlan(role, offer.published);
    if (!this.#held) throw new Unmatched('a delta came, and no plan is held');
    return applyDelta(this.#held, offer.delta, PLAN_OF_ROLE[role].shape.plan);
  }

  #refuse(revision: Revision, error: unknown): void {
    const { report, log } = this.#options;
    if (error instanceof Unmatched) {
      log.warn({ err: error, revision }, 'a delta does not fit what is held; asking for the whole plan');
      report({ type: 'unmatched', revision });
      return;
    }
    const fault = isLocal(error) ? 'Local' : 'Invalid';
    log.error({ err: error, revision, fault }, 'plan refused; keeping the one held');
    const resources = error instanceof InvalidPlan ? error.resources.slice(0, MAX_NAMED) : [];
    report({
      type: 'nack',
      revision,
      fault,
      message: messageOf(error).slice(0, 4_096),
      ...(resources.length > 0 && { resources }),
    });
  }
}

/** As far as it can be read: a plan that breaks the schema is nacked by its revision all the same. */
function revisionOf(published: unknown): Revision {
  const revision = (published as { revision?: Partial<Revision> } | null)?.revision;
  return { epoch: Number(revision?.epoch) || 0, seq: Number(revision?.seq) || 0 };
}

/** A full disk or no memory is this machine's fault wherever it shows. */
const isLocal = (error: unknown) =>
  error instanceof LocalFault || (error instanceof Error && 'syscall' in error && 'code' in error);

function toLocalFault(error: unknown): never {
  throw new LocalFault(messageOf(error), { cause: error });
}
