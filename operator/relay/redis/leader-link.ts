/**
 * The leader's end of the link through Redis: one downlink for all other replicas. It claims the lead in Redis first;
 * where that is gone (flushed, restarted empty) it claims it again and tells all that is out anew.
 */
import { randomUUID } from 'node:crypto';
import type { NodeTable } from '../../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../../contract/plans/published-plan.ts';
import type { Command, Role } from '../../../contract/stream/messages.ts';
import { canonicalDigest } from '../../../lib/canonical-json.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import { messageOf } from '../../../lib/message-of.ts';
import type { Refusal } from '../../publish/refusal.ts';
import type { ToldPolicy } from '../../trust/policy.ts';
import type { AgentIdentity, Downlink, Uplink, Verdict } from '../relay.ts';
import type { Switchboard } from '../switchboard.ts';
import { type SaidByLeader, type SaidByReplica, upMessage } from './messages.ts';
import type { RelayMetrics } from './metrics.ts';
import { follow, Sequence } from './reader.ts';
import { isNotLeader, type Reign, type RelayStore, type ValueName } from './store.ts';
import { type Numbered, Writer } from './writer.ts';

export const BEAT_MS = 2_000;
/** A replica that says nothing for so long is gone, and so are the streams that it held. */
const REPLICA_SILENT_MS = 20_000;

interface LeaderLinkOptions {
  store: RelayStore;
  switchboard: Switchboard;
  /** Of what is published now. */
  epoch: () => number;
  policy: () => ToldPolicy | undefined;
  /** Redis knows of a leader with this epoch, which is not below ours. */
  onOutranked: (epoch: number) => void;
  onTrouble?: (reason: string | undefined) => void;
  metrics: RelayMetrics;
  clock: Clock;
  log: Log;
}

interface Replica {
  sequence: Sequence;
  /** By our own clock. */
  heardAt: number;
  /** By its own, to be told back. */
  beat: number;
  sessions: Map<string, AgentIdentity>;
}

export class LeaderLink implements Downlink {
  readonly #options: LeaderLinkOptions;
  readonly #run = randomUUID();
  readonly #uplink: Uplink;
  readonly #writer: Writer<SaidByLeader>;
  readonly #replicas = new Map<string, Replica>();
  /** The newest value of each name that is not in Redis yet. */
  readonly #values = new Map<ValueName, unknown>();
  readonly #endings: (() => void)[] = [];
  #reign: Reign | undefined;
  #reads = false;
  /** The last entry that was read. */
  #taken: string | undefined;
  #claiming = false;
  /** That Redis does not answer has been said. */
  #complained = false;

  constructor(options: LeaderLinkOptions) {
    this.#options = options;
    const { store, switchboard, clock, metrics } = options;
    this.#writer = new Writer({
      write: (messages) => this.#write(messages),
      onLost: (error) => this.#lost(error),
    });
    this.#uplink = switchboard.attach(this);
    const stopReading = follow({
      store,
      stream: 'up',
      // What a leader before us was told is told again: every replica announces its streams to a new one.
      from: 'now',
      take: async (message) => this.#take(message),
      onTaken: (id) => {
        this.#taken = id;
      },
      onAnswer: () => {
        this.#reads = true;
        void this.#claim();
      },
      onFailure: (error) => {
        this.#reads = false;
        this.#writer.fail(error);
      },
    });
    this.#endings.push(
      stopReading,
      clock.every(BEAT_MS, () => this.#beat()),
    );
    metrics.replicas.set(0);
  }

  /** Why other replicas do not hear us. */
  trouble(): string | undefined {
    return this.#writer.works ? undefined : 'Redis does not answer: other replicas’ agents hear nothing new';
  }

  stop(): void {
    for (const end of this.#endings) end();
  }

  plan(role: Role, plan: PublishedPlan): void {
    this.#tell(`plan:${role}`, plan, { type: 'plan', role, revision: plan.revision });
  }

  table(table: NodeTable): void {
    this.#tell('table', table, { type: 'table', version: table.version });
  }

  greet(session: string, epoch: number): void {
    this.#say({ type: 'greet', session, epoch });
  }

  refuse(session: string, { status, message }: Refusal): void {
    this.#say({ type: 'refuse', session, status, message });
  }

  command(session: string, command: Command): void {
    this.#say({ type: 'command', session, command });
  }

  settle(session: string): void {
    this.#say({ type: 'settle', session });
  }

  judge(session: string, verdict: Verdict): void {
    this.#say({ type: 'judge', session, verdict });
  }

  end(session: string): void {
    this.#say({ type: 'end', session });
  }

  tellPolicy(): void {
    const policy = this.#options.policy();
    if (policy) this.#tell('policy', policy, { type: 'policy', digest: canonicalDigest(policy) });
  }

  #tell(name: ValueName, value: unknown, say: SaidByLeader): void {
    if (!this.#writer.works) return;
    this.#values.set(name, value);
    this.#say(say);
  }

  #say(say: SaidByLeader): void {
    // It rose above another: everything is said again in the new epoch, this too.
    if (this.#reign && this.#reign.epoch !== this.#options.epoch()) {
      this.#writer.fail(new Error('the epoch has risen'));
      return void this.#claim();
    }
    this.#options.metrics.messages.inc({ direction: 'out', type: say.type });
    this.#writer.say(say);
  }

  async #write(messages: Numbered<SaidByLeader>[]): Promise<void> {
    const { store } = this.#options;
    const reign = this.#reign;
    if (!reign) throw new Error('this replica does not lead in Redis');
    // Before the messages that say that they are there.
    for (const [name, value] of this.#values) {
      this.#values.delete(name);
      await store.put(name, value, reign);
    }
    await store.append(
      'down',
      messages.map((message) => ({ ...message, epoch: reign.epoch })),
      reign,
    );
  }

  #lost(error: Error): void {
    const { metrics, log } = this.#options;
    this.#reign = undefined;
    this.#values.clear();
    metrics.up.set(0);
    metrics.failures.inc();
    const reason = isNotLeader(error) ? 'Redis lost its data, or another replica leads' : error.message;
    log.warn({ reason }, 'the link to other replicas begins anew');
    this.#complain(reason);
  }

  /** Once for all the attempts that it takes. */
  #complain(reason: string): void {
    if (!this.#complained) this.#options.onTrouble?.(reason);
    this.#complained = true;
  }

  /** Until it is ours, nothing is said. */
  async #claim(): Promise<void> {
    // Who answers without hearing the question is of no use.
    if (this.#writer.works || this.#claiming || !this.#reads) return;
    const { store, switchboard, epoch, onOutranked, metrics, clock, log } = this.#options;
    this.#claiming = true;
    try {
      const reign = { epoch: epoch(), run: this.#run };
      const higher = await store.claim(reign);
      if (higher !== undefined) return onOutranked(higher);
      this.#reign = reign;
      this.#writer.begin();
      // Nobody could be heard: silence counts from now.
      for (const replica of this.#replicas.values()) replica.heardAt = clock.now();
      // Who is let in comes before what they get.
      this.tellPolicy();
      switchboard.refresh(this);
      this.#beat();
      metrics.up.set(1);
      if (this.#complained) this.#options.onTrouble?.(undefined);
      this.#complained = false;
      log.info({ epoch: reign.epoch }, 'this replica leads the others through Redis');
    } catch (error) {
      if (!this.#complained) log.warn({ err: error }, 'Redis can not be told who leads; trying again');
      this.#complain(messageOf(error));
    } finally {
      this.#claiming = false;
    }
  }

  #beat(): void {
    if (!this.#writer.works) return void this.#claim();
    const { store, clock, metrics } = this.#options;
    for (const [name, { heardAt, sessions }] of this.#replicas) {
      if (clock.now() - heardAt < REPLICA_SILENT_MS) continue;
      this.#replicas.delete(name);
      for (const [session, agent] of sessions) this.#uplink.disconnect(session, agent);
    }
    metrics.replicas.set(this.#replicas.size);
    const heard = Object.fromEntries([...this.#replicas].map(([name, { beat }]) => [name, beat]));
    this.#say({ type: 'beat', heard });
    // Usage of a thousand edges is large, and only the leader reads it. What fails here is trimmed by its age.
    if (this.#taken !== undefined) store.forget('up', this.#taken).catch(() => {});
  }

  #take(raw: unknown): void {
    const { clock, log, metrics } = this.#options;
    const parsed = upMessage.safeParse(raw);
    if (!parsed.success) {
      log.error({ err: parsed.error }, 'a message from Redis is none of ours');
      return;
    }
    const { replica: name, say } = parsed.data;
    const replica = this.#replicas.get(name) ?? {
      sequence: new Sequence(),
      heardAt: 0,
      beat: 0,
      sessions: new Map<string, AgentIdentity>(),
    };
    this.#replicas.set(name, replica);
    const place = replica.sequence.next(parsed.data);
    if (place === 'known') return;
    if (place === 'missed') {
      metrics.gaps.inc();
      this.#say({ type: 'announce', replica: name });
    }
    metrics.messages.inc({ direction: 'in', type: say.type });
    replica.heardAt = clock.now();
    this.#hear(name, replica, say);
  }

  #hear(name: string, replica: Replica, say: SaidByReplica): void {
    const { sessions } = replica;
    switch (say.type) {
      case 'beat':
        replica.beat = say.at;
        break;
      case 'roll':
        for (const [session, agent] of sessions) {
          if (say.sessions.includes(session)) continue;
          sessions.delete(session);
          this.#uplink.disconnect(session, agent);
        }
        break;
      case 'connect':
        sessions.set(say.call.session, { role: say.call.role, node: say.call.node });
        this.#uplink.connect(say.call, name);
        break;
      case 'disconnect':
        sessions.delete(say.session);
        this.#uplink.disconnect(say.session, say);
        break;
      case 'report':
        // It is the leader's own switchboard: it takes them as it is called.
        void this.#uplink.report(say, say.reports, say.judged);
        break;
    }
  }
}
