/**
 * The agents' streams that this replica holds, and what it knows to send them. What they say goes up the link to the
 * leader; what comes down goes to the session that it names.
 */
import { randomUUID } from 'node:crypto';
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import type { AgentSecret } from '../../contract/stream/agent-secret.ts';
import type { Command, Report, Role } from '../../contract/stream/messages.ts';
import type { Clock } from '../../lib/clock.ts';
import {
  type AgentIdentity,
  type Caller,
  type Downlink,
  isVerdict,
  turnAway,
  type Uplink,
  type Verdict,
} from '../relay/relay.ts';
import { changedRows } from './changed-rows.ts';
import { PlanLines } from './plan-lines.ts';
import { Refusal } from './refusal.ts';
import { type ChangedRows, type Introduction, Session, type SessionWire } from './session.ts';
import { WholePlans } from './whole-plans.ts';

/** An agent that no leader greets within this is sent away, to try again. */
const GREET_WITHIN_MS = 5_000;

/** One agent's connection. */
export interface Wire extends SessionWire {
  greet(epoch: number): void;
  /** Before the greeting. */
  refuse(refusal: Refusal): void;
}

interface Stream {
  caller: Caller;
  wire: Wire;
  session: Session;
  stage: 'ringing' | 'greeted' | 'settled';
  stopWaiting: () => void;
}

export class Sessions implements Downlink {
  readonly #clock: Clock;
  readonly #streams = new Map<string, Stream>();
  /** By agent: of two, the elder is about to end. */
  readonly #newest = new Map<string, string>();
  readonly #plans = new Map<Role, PublishedPlan>();
  readonly #secrets = new Map<Role, readonly AgentSecret[]>();
  readonly #plansOut: { lines: PlanLines; wholePlans: WholePlans };
  #table: NodeTable | undefined;
  #uplink: Uplink = turnAway(this, () => new Refusal(503, 'the operator is starting'));

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#plansOut = { lines: new PlanLines(), wholePlans: new WholePlans(clock) };
  }

  /** From now on this is the way to the leader; it is told of every stream that is open. */
  follow(uplink: Uplink): void {
    this.#uplink = uplink;
    this.announce();
  }

  /** For a leader that knows nothing of them, or may have missed something. */
  announce(): void {
    for (const [id, stream] of this.#streams) {
      const { held, run } = stream.session;
      const resumed = stream.stage !== 'ringing';
      if (resumed) stream.stage = 'greeted';
      this.#uplink.connect({ ...stream.caller, held, run, session: id, resumed });
    }
  }

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size;
  }

  ids(): string[] {
    return [...this.#streams.keys()];
  }

  /** Returns the name of the session, to close it by. */
  open(caller: Caller, speaks: Pick<Introduction, 'digest' | 'contract'>, wire: Wire): string {
    const id = randomUUID();
    const { role, node } = caller;
    const session = new Session({ role, node }, { ...caller, ...speaks }, this.#plansOut, wire);
    const stopWaiting = this.#clock.after(GREET_WITHIN_MS, () =>
      this.refuse(id, new Refusal(503, 'no leader answers')),
    );
    this.#streams.set(id, { caller, wire, session, stage: 'ringing', stopWaiting });
    this.#newest.set(`${role}/${node}`, id);
    this.#uplink.connect({ ...caller, session: id, resumed: false });
    return id;
  }

  /** The connection is gone, whoever ended it. */
  close(id: string): void {
    const stream = this.#drop(id);
    if (stream) this.#uplink.disconnect(id, stream.session.identity);
  }

  report(agent: AgentIdentity, reports: Report[]): Promise<void> {
    // At once, and not when the leader has it back to us: an agent that waits for its next plan does not wait for Redis.
    const id = this.#newest.get(`${agent.role}/${agent.node}`);
    if (id !== undefined) for (const verdict of reports.filter(isVerdict)) this.judge(id, verdict);
    return this.#uplink.report(agent, reports, id !== undefined);
  }

  /** Shows every agent that its stream is alive, and tries again what one could not take. */
  beat(): void {
    for (const { session, stage } of this.#streams.values()) {
      if (stage === 'ringing') continue;
      session.send({ type: 'heartbeat' });
      session.retry();
    }
  }

  /** Of this replica, not of the agents: the leader is not told that they went away. */
  endAll(): void {
    this.#uplink = turnAway(this, () => new Refusal(503, 'the operator is stopping'));
    for (const { session } of this.#streams.values()) session.end();
  }

  plan(role: Role, plan: PublishedPlan): void {
    this.#plans.set(role, plan);
    for (const { session, stage } of this.#streams.values()) {
      if (stage === 'settled' && session.identity.role === role) session.offer(plan);
    }
  }

  /** What changed since the last one to those that have that, all of it to the others. */
  table(table: NodeTable): void {
    const changed: ChangedRows | undefined = this.#table && changedRows(this.#table, table);
    this.#table = table;
    for (const { session, stage } of this.#streams.values()) {
      if (stage === 'settled' && session.identity.role === 'dns-server') session.offerTable(table, changed);
    }
  }

  /** Also to every agent of that role whose stream opens later. Each replica reads them itself: no link carries them. */
  secrets(role: Role, secrets: readonly AgentSecret[]): void {
    this.#secrets.set(role, secrets);
    for (const { session, stage } of this.#streams.values()) {
      if (stage === 'settled' && session.identity.role === role) session.sendSecrets(secrets);
    }
  }

  greet(id: string, epoch: number): void {
    const stream = this.#streams.get(id);
    if (stream?.stage !== 'ringing') return;
    stream.stopWaiting();
    stream.stage = 'greeted';
    stream.wire.greet(epoch);
  }

  refuse(id: string, refusal: Refusal): void {
    const stream = this.#streams.get(id);
    if (stream?.stage === 'ringing') this.#drop(id)?.wire.refuse(refusal);
    else stream?.session.end();
  }

  command(id: string, command: Command): void {
    this.#streams.get(id)?.session.send({ type: 'command', command });
  }

  settle(id: string): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    stream.stage = 'settled';
    const { session } = stream;
    const { role } = session.identity;
    const secrets = this.#secrets.get(role);
    // Before the plan that needs them.
    if (secrets) session.sendSecrets(secrets);
    if (role === 'dns-server' && this.#table) session.offerTable(this.#table);
    const plan = this.#plans.get(role);
    if (plan) session.offer(plan);
  }

  judge(id: string, verdict: Verdict): void {
    this.#streams.get(id)?.session.judged(verdict);
  }

  end(id: string): void {
    this.#streams.get(id)?.session.end();
  }

  #drop(id: string): Stream | undefined {
    const stream = this.#streams.get(id);
    if (!stream) return undefined;
    stream.stopWaiting();
    stream.session.closed();
    this.#streams.delete(id);
    const { role, node } = stream.session.identity;
    if (this.#newest.get(`${role}/${node}`) === id) this.#newest.delete(`${role}/${node}`);
    return stream;
  }
}
