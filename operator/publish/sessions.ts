/**
 * The agents' streams that this replica holds, and what it knows to send them. What they say goes up the link to the
 * leader; what comes down goes to the session that it names.
 */
import { randomUUID } from 'node:crypto';
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type {
  PublishedEdgePlan,
  PublishedPlan,
  PublishedRoutingPlan,
} from '../../contract/plans/published-plan.ts';
import type { AgentSecret } from '../../contract/stream/agent-secret.ts';
import type { Command, Report, Role } from '../../contract/stream/messages.ts';
import type { Clock } from '../../lib/clock.ts';
import { memo } from '../../lib/memo.ts';
import { ndjsonLine } from '../../lib/ndjson.ts';
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
import { EdgeCertificates } from './edge-certificates.ts';
import type { SecretsByName } from './edge-secrets.ts';
import { LargeSends } from './large-sends.ts';
import { PlanLines } from './plan-lines.ts';
import { Refusal } from './refusal.ts';
import { SecretLines, type SecretSet, secretSet } from './secret-lines.ts';
import { type ChangedRows, type Introduction, type Lines, Session, type SessionWire } from './session.ts';

/** An agent that no leader greets within this is sent away, to try again. */
const GREET_WITHIN_MS = 5_000;
/** What the leader wrote is seen by each replica within a second. */
const HOLD_BACK_MS = 5_000;

/** Once for the thousand that it goes to. */
const commandLine = memo((command: Command) => Buffer.from(ndjsonLine({ type: 'command', command })));

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
  readonly #out: Lines;
  /** Of dns-servers. */
  #secrets: SecretSet | undefined;
  readonly #certificates = new EdgeCertificates();
  /** Edges wait for certificates that the newest plan names, but not for ever. */
  #holdsBack = false;
  #stopHolding = () => {};
  #table: NodeTable | undefined;
  #uplink: Uplink = turnAway(this, () => new Refusal(503, 'the operator is starting'));

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#out = { plans: new PlanLines(), secrets: new SecretLines(), largeSends: new LargeSends(clock) };
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
  open(caller: Caller, speaks: Pick<Introduction, 'digest' | 'contract' | 'secrets'>, wire: Wire): string {
    const id = randomUUID();
    const { role, node } = caller;
    const session = new Session({ role, node }, { ...caller, ...speaks }, this.#out, wire);
    const stopWaiting = this.#clock.after(GREET_WITHIN_MS, () => this.#turnAway(id));
    this.#streams.set(id, { caller, wire, session, stage: 'ringing', stopWaiting });
    this.#newest.set(`${role}/${node}`, id);
    this.#uplink.connect({ ...caller, session: id, resumed: false });
    return id;
  }

  /** A leader that greets it at this moment must not take it for connected. */
  #turnAway(id: string): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#uplink.disconnect(id, stream.session.identity);
    this.refuse(id, new Refusal(503, 'no leader answers'));
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
    // Which of the two it is, its role says.
    if (role === 'edge') this.#certificates.plan(plan as PublishedEdgePlan);
    else this.#certificates.routing(plan as PublishedRoutingPlan);
    if (role === 'dns-server') this.#offerPlan(role, plan);
    this.#offerToEdges(role === 'edge');
  }

  /** Certificates before the plan that names them; a plan that names some that are not here yet waits a little. */
  #offerToEdges(isNewPlan: boolean): void {
    this.#offerCertificates();
    const isComplete = this.#certificates.isComplete();
    if (isNewPlan || isComplete) {
      this.#stopHolding();
      this.#holdsBack = !isComplete;
      this.#stopHolding = isComplete ? () => {} : this.#clock.after(HOLD_BACK_MS, () => this.#letGo());
    }
    const plan = this.#plans.get('edge');
    if (plan && !this.#holdsBack) this.#offerPlan('edge', plan);
  }

  /** What is missing comes when it comes: all else in the plan must not wait for it. */
  #letGo(): void {
    this.#holdsBack = false;
    const plan = this.#plans.get('edge');
    if (plan) this.#offerPlan('edge', plan);
  }

  #offerPlan(role: Role, plan: PublishedPlan): void {
    for (const session of this.#settled(role)) session.offer(plan);
  }

  #offerCertificates(): void {
    for (const session of this.#settled('edge')) {
      const set = this.#certificates.setFor(session.identity.node);
      if (set) session.offerSecrets(set);
    }
  }

  *#settled(role: Role): Generator<Session> {
    for (const { session, stage } of this.#streams.values())
      if (stage === 'settled' && session.identity.role === role) yield session;
  }

  /** What changed since the last one to those that have that, all of it to the others. */
  table(table: NodeTable): void {
    const changed: ChangedRows | undefined = this.#table && changedRows(this.#table, table);
    this.#table = table;
    for (const { session, stage } of this.#streams.values()) {
      if (stage === 'settled' && session.identity.role === 'dns-server') session.offerTable(table, changed);
    }
  }

  /** Also to every dns-server whose stream opens later. Each replica reads them itself: no link carries them. */
  secrets(secrets: readonly AgentSecret[]): void {
    this.#secrets = secretSet(secrets);
    for (const session of this.#settled('dns-server')) session.offerSecrets(this.#secrets);
  }

  /** Those in force, by name: each edge gets those of its domains. */
  certificates(values: SecretsByName): void {
    this.#certificates.values(values);
    this.#offerToEdges(false);
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
    this.#streams.get(id)?.session.command(commandLine(command));
  }

  settle(id: string): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    stream.stage = 'settled';
    const { session } = stream;
    const { role } = session.identity;
    // Before the plan that needs them.
    const secrets = role === 'edge' ? this.#certificates.setFor(session.identity.node) : this.#secrets;
    if (secrets) session.offerSecrets(secrets);
    if (role === 'dns-server' && this.#table) session.offerTable(this.#table);
    const plan = role === 'edge' && this.#holdsBack ? undefined : this.#plans.get(role);
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
