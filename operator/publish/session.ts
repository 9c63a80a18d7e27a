/**
 * One connected agent, as the operator sees it. At most one plan is un-acked; a newer one replaces the one that waits,
 * so a slow agent costs one plan of memory however fast plans change.
 */
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import { compareRevisions, type Revision } from '../../contract/plans/revision.ts';
import type { Role, StreamMessage } from '../../contract/stream/messages.ts';

export interface AgentIdentity {
  role: Role;
  node: string;
}

export class Session {
  readonly identity: AgentIdentity;
  readonly #send: (message: StreamMessage) => void;
  readonly #end: () => void;
  #held: Revision;
  #unacked: Revision | undefined;
  #waiting: PublishedPlan | undefined;

  constructor(
    identity: AgentIdentity,
    held: Revision,
    wire: { send: (message: StreamMessage) => void; end: () => void },
  ) {
    this.identity = identity;
    this.#held = held;
    this.#send = wire.send;
    this.#end = wire.end;
  }

  send(message: StreamMessage): void {
    this.#send(message);
  }

  offer(plan: PublishedPlan): void {
    if (compareRevisions(plan.revision, this.#held) === 0) return;
    if (this.#unacked) {
      if (compareRevisions(plan.revision, this.#unacked) !== 0) this.#waiting = plan;
      return;
    }
    this.#unacked = plan.revision;
    this.#send({ type: 'plan', published: plan });
  }

  /** The agent's verdict on the plan that was sent last; the one that waits goes out. */
  judged(revision: Revision, acked: boolean): void {
    if (acked) this.#held = revision;
    this.#unacked = undefined;
    const next = this.#waiting;
    this.#waiting = undefined;
    if (next) this.offer(next);
  }

  end(): void {
    this.#end();
  }
}
