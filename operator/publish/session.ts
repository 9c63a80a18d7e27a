/**
 * One connected agent, as the operator sees it. At most one plan is un-acked; a newer one replaces the one that waits,
 * so a slow agent costs one plan of memory however fast plans change.
 */
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import { compareRevisions, type Revision } from '../../contract/plans/revision.ts';
import type { StreamMessage } from '../../contract/stream/messages.ts';
import type { AgentIdentity, Verdict } from '../relay/relay.ts';

export class Session {
  readonly identity: AgentIdentity;
  readonly #send: (message: StreamMessage) => void;
  readonly #end: () => void;
  #held: Revision;
  #run: string;
  #unacked: PublishedPlan | undefined;
  /** Refused for a fault of the agent's machine, which may pass. */
  #refused: PublishedPlan | undefined;
  #waiting: PublishedPlan | undefined;

  constructor(
    identity: AgentIdentity,
    { held, run }: { held: Revision; run: string },
    wire: { send: (message: StreamMessage) => void; end: () => void },
  ) {
    this.identity = identity;
    this.#held = held;
    this.#run = run;
    this.#send = wire.send;
    this.#end = wire.end;
  }

  /** The plan that the agent said it serves. */
  get held(): Revision {
    return this.#held;
  }

  /** The operator's run that published it. */
  get run(): string {
    return this.#run;
  }

  send(message: StreamMessage): void {
    this.#send(message);
  }

  offer(plan: PublishedPlan): void {
    if (compareRevisions(plan.revision, this.#held) === 0) return;
    if (this.#unacked) {
      if (compareRevisions(plan.revision, this.#unacked.revision) !== 0) this.#waiting = plan;
      return;
    }
    this.#unacked = plan;
    this.#refused = undefined;
    this.#send({ type: 'plan', published: plan });
  }

  /** The agent's verdict on the plan that was sent last; the one that waits goes out. */
  judged(verdict: Verdict): void {
    if (verdict.type === 'ack') this.#held = verdict.revision;
    // A verdict that waited for a connection may be on an older plan.
    if (!this.#unacked || compareRevisions(verdict.revision, this.#unacked.revision) !== 0) return;
    if (verdict.type === 'ack') this.#run = this.#unacked.run;
    if (verdict.type === 'nack' && verdict.fault === 'Local') this.#refused = this.#unacked;
    this.#unacked = undefined;
    const next = this.#waiting;
    this.#waiting = undefined;
    if (next) this.offer(next);
  }

  /** Sends a plan again that a full disk or the like made the agent refuse. */
  retry(): void {
    if (this.#refused) this.offer(this.#refused);
  }

  end(): void {
    this.#end();
  }
}
