/**
 * A replica's end of the link through Redis. What the leader says goes to the replica's sessions; a leader that is new,
 * or of which something was missed, is told of every stream that is open here.
 */
import { randomUUID } from 'node:crypto';
import { nodeTable } from '../../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../../contract/plans/published-plan.ts';
import { compareRevisions, NO_REVISION, type Revision } from '../../../contract/plans/revision.ts';
import type { Report, Role } from '../../../contract/stream/messages.ts';
import { canonicalDigest } from '../../../lib/canonical-json.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import { Refusal } from '../../publish/refusal.ts';
import type { Sessions } from '../../publish/sessions.ts';
import { type ToldPolicy, toldPolicy } from '../../trust/policy.ts';
import type { AgentIdentity, Call, Uplink, Verdict } from '../relay.ts';
import { BEAT_MS } from './leader-link.ts';
import { downMessage, type SaidByLeader, type SaidByReplica } from './messages.ts';
import type { RelayMetrics } from './metrics.ts';
import { follow, Sequence } from './reader.ts';
import type { RelayStore } from './store.ts';
import { Writer } from './writer.ts';

/** Five beats: a leader that says nothing for so long leads no more, or Redis does not carry what it says. */
const LEADER_SILENT_MS = 5 * BEAT_MS;

interface ReplicaLinkOptions {
  store: RelayStore;
  sessions: Sessions;
  /** What agents are told while nothing can be relayed: where the leader is, if that is known. */
  elsewhere: () => Refusal;
  onPolicy: () => void;
  metrics: RelayMetrics;
  clock: Clock;
  log: Log;
}

export class ReplicaLink implements Uplink {
  readonly #options: ReplicaLinkOptions;
  readonly #name = randomUUID();
  readonly #writer: Writer<SaidByReplica>;
  #leader = new Sequence();
  /** Whom to let in, as a leader said last. */
  policy: ToldPolicy | undefined;
  #policyDigest = '';
  readonly #held = new Map<Role | 'table', Revision>();
  readonly #endings: (() => void)[] = [];
  #reads = false;
  /** That nothing is relayed has been said. */
  #complained = false;
  #epoch = 0;
  #heardAt = Number.NEGATIVE_INFINITY;

  constructor(options: ReplicaLinkOptions) {
    this.#options = options;
    const { store, clock } = options;
    this.#writer = new Writer({
      write: (messages) =>
        store.append(
          'up',
          messages.map((message) => ({ ...message, replica: this.#name })),
        ),
      onLost: (error) => this.#lost(error),
    });
    const stopReading = follow({
      store,
      stream: 'down',
      from: 'start',
      take: (message) => this.#take(message),
      onAnswer: () => {
        this.#reads = true;
        this.#announce();
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
  }

  /** Why nothing is relayed. */
  trouble(): string | undefined {
    if (!this.#writer.works) return 'Redis does not answer: agents keep what they hold';
    return this.#hearsLeader() ? undefined : 'no leader is heard through Redis';
  }

  stop(): void {
    for (const end of this.#endings) end();
  }

  connect(call: Call): void {
    if (this.trouble() === undefined) this.#say({ type: 'connect', call });
    // One that is open stays so, and is announced when the leader is heard.
    else if (!call.resumed) this.#options.sessions.refuse(call.session, this.#refusal());
  }

  disconnect(session: string, { role, node }: AgentIdentity): void {
    this.#say({ type: 'disconnect', session, role, node });
  }

  async report({ role, node }: AgentIdentity, reports: Report[], judged: boolean): Promise<void> {
    this.#options.metrics.messages.inc({ direction: 'out', type: 'report' });
    try {
      await this.#writer.written({ type: 'report', role, node, reports, judged });
    } catch {
      // Its stream is announced when Redis is back, with the plan that it holds; what it was to do it is asked again.
      if (!judged) throw this.#refusal();
    }
  }

  /** While Redis carries nothing the leader serves those who come; a leader that is being chosen serves nobody. */
  #refusal(): Refusal {
    return this.#writer.works
      ? new Refusal(503, this.trouble() ?? 'the leader does not answer')
      : this.#options.elsewhere();
  }

  #hearsLeader(): boolean {
    return this.#options.clock.now() - this.#heardAt < LEADER_SILENT_MS;
  }

  #say(say: SaidByReplica): void {
    this.#options.metrics.messages.inc({ direction: 'out', type: say.type });
    this.#writer.say(say);
  }

  #beat(): void {
    if (this.#writer.works) this.#say({ type: 'beat', at: this.#options.clock.now() });
    else if (this.#reads) this.#announce();
  }

  #lost(error: Error): void {
    const { metrics, log } = this.#options;
    metrics.up.set(0);
    // Whatever it says next, there may have been something before it.
    this.#leader = new Sequence();
    metrics.failures.inc();
    if (!this.#complained)
      log.warn({ reason: error.message }, 'the link to the leader is cut; agents keep their streams');
    this.#complained = true;
  }

  /** A new term: whatever the leader has of us, this is what counts. */
  #announce(): void {
    const { sessions, metrics } = this.#options;
    this.#writer.begin();
    metrics.up.set(1);
    this.#say({ type: 'roll', sessions: sessions.ids() });
    sessions.announce();
    this.#beat();
  }

  async #take(raw: unknown): Promise<void> {
    const { clock, log, metrics } = this.#options;
    const parsed = downMessage.safeParse(raw);
    if (!parsed.success) {
      log.error({ err: parsed.error }, 'a message from Redis is none of ours');
      return;
    }
    const { epoch, say } = parsed.data;
    if (epoch < this.#epoch) return metrics.fenced.inc();
    const place = this.#leader.next(parsed.data);
    if (place === 'known') return;
    this.#epoch = epoch;
    metrics.messages.inc({ direction: 'in', type: say.type });
    this.#heardAt = clock.now();
    this.#complained = false;
    if (place !== 'inOrder') {
      if (place === 'missed') metrics.gaps.inc();
      // At once, before anybody calls who would then be told of twice; and nobody gets a newer plan before the commands
      // that it missed.
      this.#announce();
      await this.#fetchAll();
    }
    await this.#hear(say);
  }

  async #hear(say: SaidByLeader): Promise<void> {
    const { sessions, clock, metrics } = this.#options;
    switch (say.type) {
      case 'plan':
        return this.#fetch(say.role, say.revision);
      case 'table':
        return this.#fetch('table', say.version);
      case 'policy':
        return this.#fetchPolicy(say.digest);
      case 'greet':
        return sessions.greet(say.session, say.epoch);
      case 'refuse':
        return sessions.refuse(say.session, new Refusal(say.status, say.message));
      case 'command':
        return sessions.command(say.session, say.command);
      case 'settle':
        return sessions.settle(say.session);
      case 'judge':
        // The leader says no others.
        return sessions.judge(say.session, say.verdict as Verdict);
      case 'end':
        return sessions.end(say.session);
      case 'announce':
        return say.replica === this.#name ? this.#announce() : undefined;
      case 'beat': {
        const at = say.heard[this.#name];
        if (at !== undefined) metrics.roundTrip.set((clock.now() - at) / 1_000);
      }
    }
  }

  async #fetchPolicy(digest?: string): Promise<void> {
    if (digest === this.#policyDigest) return;
    const value = await this.#options.store.get('policy');
    if (value === undefined) return;
    this.policy = toldPolicy.parse(value);
    this.#policyDigest = canonicalDigest(value);
    this.#options.onPolicy();
  }

  async #fetchAll(): Promise<void> {
    await this.#fetchPolicy();
    for (const what of ['edge', 'dns-server', 'table'] as const) await this.#fetch(what);
  }

  /** What lies there may be newer than what the message was about, and then that message still comes. */
  async #fetch(what: Role | 'table', atLeast?: Revision): Promise<void> {
    const { store, sessions } = this.#options;
    const held = this.#held.get(what) ?? NO_REVISION;
    if (atLeast && compareRevisions(held, atLeast) >= 0) return;
    const value = await store.get(what === 'table' ? 'table' : `plan:${what}`);
    if (value === undefined) return;
    // What the leader published itself; agents check a plan's digest and content.
    const newer = what === 'table' ? nodeTable.parse(value).version : (value as PublishedPlan).revision;
    if (compareRevisions(newer, held) <= 0 || newer.epoch < this.#epoch) return;
    this.#held.set(what, newer);
    if (what === 'table') sessions.table(nodeTable.parse(value));
    else sessions.plan(what, value as PublishedPlan);
  }
}
