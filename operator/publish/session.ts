/**
 * One connected agent, as the operator sees it. At most one plan is un-acked; a newer one replaces the one that waits,
 * so a slow agent costs one plan of memory however fast plans change.
 */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import { compareRevisions, type Revision } from '../../contract/plans/revision.ts';
import type { ContractVersion, StreamMessage } from '../../contract/stream/messages.ts';
import { ndjsonLine } from '../../lib/ndjson.ts';
import type { AgentIdentity, Verdict } from '../relay/relay.ts';
import type { LargeSends } from './large-sends.ts';
import type { HeldPlan, PlanLines } from './plan-lines.ts';
import { NO_SECRETS, type SecretLines, type SecretSet } from './secret-lines.ts';

/** What an agent says of itself when it connects. */
export interface Introduction {
  held: Revision;
  /** The digest of what it holds, and the run that published that; empty when it does not say. */
  digest: string;
  run: string;
  contract: ContractVersion;
  /** The digest of the secrets that it holds. */
  secrets?: string | undefined;
}

export interface SessionWire {
  /** `sent`: it has left this process, or never will. */
  write(line: string | Uint8Array, sent?: () => void): void;
  end(): void;
}

/** The rows that make one table of the one before it, as they go out. */
export interface ChangedRows {
  base: Revision;
  line: string;
}

/** What many sessions send alike. */
export interface Lines {
  plans: PlanLines;
  secrets: SecretLines;
  largeSends: LargeSends;
}

/** Of secrets: a change of some certificates, which goes out at once. */
const SMALL_BYTES = 256 * 1_024;

export class Session {
  readonly identity: AgentIdentity;
  readonly contract: ContractVersion;
  readonly #wire: SessionWire;
  readonly #lines: Lines;
  #leavePlanQueue = () => {};
  #leaveSecretsQueue = () => {};
  #held: Revision;
  #run: string;
  #content: HeldPlan | undefined;
  #unacked: PublishedPlan | undefined;
  /** Refused for a fault of the agent's machine, which may pass. */
  #refused: PublishedPlan | undefined;
  #waiting: PublishedPlan | undefined;
  /** What the agent holds of secrets once it has read all that was sent. */
  #secretsHeld: string;
  #secrets: SecretSet | undefined;
  /** What waits for its turn; plans that may need it wait behind it. */
  #secretsWaiting: SecretSet | undefined;
  /** Of the table that was sent last. */
  #table: Revision | undefined;

  constructor(identity: AgentIdentity, agent: Introduction, lines: Lines, wire: SessionWire) {
    this.identity = identity;
    this.contract = agent.contract;
    this.#held = agent.held;
    this.#run = agent.run;
    this.#content = { digest: agent.digest, run: agent.run };
    this.#lines = lines;
    this.#secretsHeld = agent.secrets ?? NO_SECRETS.digest;
    this.#wire = wire;
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
    this.#wire.write(ndjsonLine(message));
  }

  command(line: Buffer): void {
    this.#wire.write(line);
  }

  offer(plan: PublishedPlan): void {
    if (compareRevisions(plan.revision, this.#held) === 0) return;
    if (this.#unacked) {
      if (compareRevisions(plan.revision, this.#unacked.revision) !== 0) this.#waiting = plan;
      return;
    }
    if (this.#secretsWaiting) {
      this.#waiting = plan;
      return;
    }
    this.#refused = undefined;
    this.#sendPlan(plan);
  }

  /** Only what changed, where the agent has the table before this one and merges row by row. */
  offerTable(table: NodeTable, changed?: ChangedRows): void {
    const hasBase = changed && this.#table && compareRevisions(changed.base, this.#table) === 0;
    if (changed && hasBase && this.contract >= 2) this.#wire.write(changed.line);
    else this.send({ type: 'table', table });
    this.#table = table.version;
  }

  /** One that speaks contract 1 reads them from a folder. Many at once wait for their turn; then the newest go out. */
  offerSecrets(set: SecretSet): void {
    if (this.contract < 2) return;
    if (this.#secretsWaiting) {
      this.#secretsWaiting = set;
      return;
    }
    const size = this.#linesFor(set).reduce((sum, { length }) => sum + length, 0);
    if (size <= SMALL_BYTES) {
      this.#sendSecrets(set);
      return;
    }
    this.#secretsWaiting = set;
    this.#leaveSecretsQueue();
    this.#leaveSecretsQueue = this.#lines.largeSends.enter(size, (sent) => {
      const newest = this.#secretsWaiting ?? set;
      this.#secretsWaiting = undefined;
      this.#sendSecrets(newest, sent);
      const plan = this.#waiting;
      if (!plan || this.#unacked) return;
      this.#waiting = undefined;
      this.offer(plan);
    });
  }

  #linesFor(set: SecretSet): readonly Buffer[] {
    if (set === this.#secrets) return [];
    return this.#lines.secrets.linesFor(set, this.#secretsHeld, this.#secrets);
  }

  #sendSecrets(set: SecretSet, sent = () => {}): void {
    const lines = this.#linesFor(set);
    for (const [index, line] of lines.entries())
      this.#wire.write(line, index === lines.length - 1 ? sent : undefined);
    if (lines.length === 0) sent();
    this.#secretsHeld = set.digest;
    this.#secrets = set;
  }

  /** The agent's verdict on the plan that was sent last; the one that waits goes out. */
  judged(verdict: Verdict): void {
    // Told by two ways, an elder one may come later; what an agent holds falls only when it connects anew.
    if (verdict.type === 'ack' && compareRevisions(verdict.revision, this.#held) > 0)
      this.#held = verdict.revision;
    // A verdict that waited for a connection may be on an older plan.
    const judged = this.#unacked;
    if (!judged || compareRevisions(verdict.revision, judged.revision) !== 0) return;
    if (verdict.type === 'unmatched') this.#content = undefined;
    if (verdict.type === 'ack') {
      this.#run = judged.run;
      this.#content = { digest: judged.digest, run: judged.run };
    }
    if (verdict.type === 'nack' && verdict.fault === 'Local') this.#refused = judged;
    const next = this.#waiting ?? (verdict.type === 'unmatched' ? judged : undefined);
    this.#unacked = undefined;
    this.#waiting = undefined;
    if (next) this.offer(next);
  }

  /** Sends a plan again that a full disk or the like made the agent refuse. */
  retry(): void {
    if (this.#refused) this.offer(this.#refused);
  }

  end(): void {
    this.#wire.end();
  }

  /** The connection is gone. */
  closed(): void {
    this.#leavePlanQueue();
    this.#leaveSecretsQueue();
  }

  #sendPlan(plan: PublishedPlan): void {
    this.#unacked = plan;
    const { line, isWhole } = this.#lineFor(plan);
    if (!isWhole) {
      this.#wire.write(line);
      return;
    }
    this.#leavePlanQueue();
    this.#leavePlanQueue = this.#lines.largeSends.enter(line.length, (sent) => {
      // One that waits behind its secrets must not come before them.
      const newest = this.#secretsWaiting ? plan : (this.#waiting ?? plan);
      if (newest === this.#waiting) this.#waiting = undefined;
      this.#unacked = newest;
      this.#wire.write(this.#lineFor(newest).line, sent);
    });
  }

  #lineFor(plan: PublishedPlan) {
    return this.#lines.plans.lineFor(plan, this.#content, this.contract);
  }
}
