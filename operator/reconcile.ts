/**
 * The loop that `main.ts` draws: each thing that happens is folded into values by the pure rooms, and what comes out
 * goes to the rim. One thing at a time, in the order of arrival. What is under way to the rim is kept by AcceptedWriting,
 * Publishing and StatusWriting; what is decided, here.
 *
 *     loaded ─> admit ─> (accepted forms durable) ─> compile ─> publish ─> plans out ─┐
 *     connect, report, tick ───────────────────────────────────────────> decide ──────┴─> tables, commands out ─> status
 */

import type { Resource } from '../contract/kinds/kinds.ts';
import type { ObjectRef } from '../contract/kinds/metadata.ts';
import type { ForcedState, NodeTable } from '../contract/plans/node-table.ts';
import type { PublishedPlan } from '../contract/plans/published-plan.ts';
import type { Role } from '../contract/stream/messages.ts';
import type { ResourcesView, RoutingView } from '../contract/stream/operator-api.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { Turns } from '../lib/turns.ts';
import { admit } from './admit/admit.ts';
import { type Admission, keyOf, resourceKey } from './admit/snapshot.ts';
import { tellProblems } from './admit/tell-problems.ts';
import { CertificateBook } from './certificates/book.ts';
import { compile } from './compile/compile.ts';
import { decide } from './decide/decide.ts';
import { formTaken } from './decide/quarantine.ts';
import { type DecideEvent, type DecideState, type Effect, initialState } from './decide/state.ts';
import type { Outbox, Stores } from './outbox.ts';
import type { EpochStore } from './publish/epoch-file.ts';
import { Publishing } from './publish/publishing.ts';
import type { Caller } from './relay/relay.ts';
import { AcceptedWriting } from './source/accepted-writing.ts';
import type { Loaded } from './source/source.ts';
import { fleetOf, isWith } from './status/fleet.ts';
import type { Statuses } from './status/record.ts';
import { restoredSince, restoredStatuses } from './status/restored.ts';
import { StatusWriting } from './status/status-writing.ts';
import { resourcesView, routingView } from './status/view.ts';

interface ReconcilerOptions {
  /** Version of this operator. */
  build: string;
  stores: Stores;
  outbox: Outbox;
  clock: Clock;
  log: Log;
}

interface Memory {
  accepted: AcceptedWriting;
  statuses: Statuses;
  publishing: Publishing;
  certificates: CertificateBook;
}

/** What happens within this is one table. */
const GATHER_MS = 50;

export class Reconciler {
  readonly certificates: CertificateBook;
  readonly #build: string;
  readonly #outbox: Outbox;
  readonly #epochs: EpochStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #accepted: AcceptedWriting;
  readonly #publishing: Publishing;
  readonly #statuses: StatusWriting;
  #loaded: Loaded | undefined;
  /** It waits for its turn. */
  #newest: Loaded | undefined;
  #admission: Admission | undefined;
  #state: DecideState;
  /** A table is on its way. */
  #gathering = false;
  /** Agents that this run has greeted. */
  readonly #met = new Set<string>();
  /** Steps that wait for the disk. */
  readonly #turns = new Turns();

  /** Reads what must survive, and takes the next epoch: written down before the first plan goes out. */
  static async open(options: ReconcilerOptions): Promise<Reconciler> {
    const { stores, outbox, clock, log } = options;
    const epoch = (await stores.epoch.read()) + 1;
    await stores.epoch.write(epoch);
    const accepted = await stores.accepted.load();
    const statuses = await stores.status.load();
    return new Reconciler(options, {
      accepted: new AcceptedWriting({ store: stores.accepted, accepted, clock, log }),
      statuses,
      publishing: new Publishing({ outbox, epoch, restored: restoredSince(statuses), clock, log }),
      certificates: await CertificateBook.open(stores.vault, log),
    });
  }

  private constructor({ build, stores, outbox, clock, log }: ReconcilerOptions, memory: Memory) {
    this.#build = build;
    this.#outbox = outbox;
    this.#epochs = stores.epoch;
    this.#clock = clock;
    this.#log = log;
    this.#accepted = memory.accepted;
    this.certificates = memory.certificates;
    this.#publishing = memory.publishing;
    this.#state = initialState(restoredStatuses(memory.statuses, build));
    this.#statuses = new StatusWriting({
      store: stores.status,
      written: memory.statuses,
      look: () => this.#look(),
      clock,
      log,
    });
  }

  /** Resolves when that moment, or a newer one that came before its turn, is worked off. */
  loaded(loaded: Loaded): Promise<void> {
    this.#newest = loaded;
    return this.#turns.take(async () => {
      // While accepted forms are written, moments come faster than they go: only the newest counts.
      if (this.#newest) await this.#load(this.#newest);
    });
  }

  /** Looks again at what was read last: something else came that plans are made of. */
  reload(): Promise<void> {
    return this.#turns.take(async () => {
      const loaded = this.#newest ?? this.#loaded;
      if (loaded) await this.#load(loaded);
    });
  }

  /** source ─> admit ─> accepted forms durable ─> decide: nodes, jobs ─> compile ─> publish ─> decide: forms ─> status */
  async #load(loaded: Loaded): Promise<void> {
    const started = performance.now();
    this.#newest = undefined;
    this.#loaded = loaded;
    const admission = this.#admit(loaded);
    const admitted = performance.now();
    await this.#accepted.writtenFirst(this.certificates.idle());
    if (admission.config) {
      // Nodes and jobs first: a plan must not go out before a node that it names is known here.
      this.#decide({ type: 'snapshot', snapshot: admission.snapshot });
      const written = performance.now();
      const next = this.#publishing.next(compile(admission.snapshot, admission.config, this.certificates));
      this.#publishing.send(next, {
        admit: Math.round(admitted - started),
        write: Math.round(written - admitted),
        compile: Math.round(performance.now() - written),
      });
      this.#tellPublished(admission);
    }
    this.#statuses.offer();
  }

  #admit(loaded: Loaded): Admission {
    const { quarantined } = this.#state.quarantine;
    const isTaken = (key: string) => formTaken(this.#state, key);
    const experience = { quarantined, isTaken };
    const admission = admit(loaded, this.#accepted.newest, experience, this.#admission);
    tellProblems(admission.problems, this.#admission?.problems ?? [], this.#log);
    this.#admission = admission;
    this.#accepted.offer(admission.accepted);
    this.certificates.settle(admission.accepted.resources.values(), loaded.secrets, this.#clock.now());
    return admission;
  }

  /** Which forms of which resources the newest plans have, so that a refusal can be put down to one. */
  #tellPublished({ snapshot, quarantined }: Admission): void {
    const { edge, routing } = this.#publishing.publication;
    if (!edge || !routing) return;
    const plans = { edge: edge.revision, 'dns-server': routing.revision };
    this.#decide({ type: 'published', snapshot, plans, quarantined: new Set(quarantined.keys()) });
  }

  event(event: DecideEvent): void {
    const before = this.#state;
    this.#decide(event);
    if (event.type === 'report' && this.#state !== before) this.#gatherTable();
    const isStale = event.type === 'tick' && this.#ticked();
    if (this.#state !== before || this.#statuses.isBehind || isStale) this.#statuses.offer();
  }

  /** Whether what was told of is another, though nobody said anything. */
  #ticked(): boolean {
    this.#accepted.retry();
    this.certificates.retry();
    const now = this.#clock.now();
    // What was in order comes to its end without anybody's doing.
    if (this.certificates.isStale(now)) void this.reload();
    const isDue = this.#publishing.due.advance(now);
    return this.#statuses.hasStrayed() || isDue;
  }

  #decide(event: DecideEvent): void {
    const { state, effects } = decide(this.#state, event, this.#clock.now());
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'table':
        this.#publishing.sendTable(effect.rows, effect.voters);
        break;
      case 'command':
        this.#outbox.command(effect.node, effect.command);
        break;
      case 'readmit':
        void this.reload();
        break;
      case 'dismiss':
        this.#outbox.dismiss(effect.node);
        break;
      case 'expire':
        this.#outbox.expire(effect.ref, this.#jobUid(effect.ref));
        break;
    }
  }

  #jobUid(ref: ObjectRef): string {
    const found = [...this.#state.jobs].find(([, { job }]) => keyOf(job) === resourceKey(ref));
    return found?.[0] ?? '';
  }

  /** A thousand acks of one plan make few tables. */
  #gatherTable(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#clock.after(GATHER_MS, () => {
      this.#gathering = false;
      this.event({ type: 'gathered' });
    });
  }

  #look() {
    const admission = this.#admission;
    if (!admission) return undefined;
    const { holdings } = this.certificates;
    const { publication, due } = this.#publishing;
    return {
      admission,
      publication,
      state: this.#state,
      holdings,
      due: due.revision,
      build: this.#build,
    };
  }

  /** Resolves with the epoch to greet an agent with. One that met an operator we know nothing of makes us rise above it. */
  connecting({ role, node, run, seen }: Caller): Promise<number> {
    const name = `${role}/${node}`;
    return this.#turns.take(async () => {
      const met = this.#met.has(name);
      if (this.#publishing.isForeign({ run, seen, met })) await this.#rise(seen + 1);
      this.#met.add(name);
      return this.epoch;
    });
  }

  /** Another leads, or led, with this epoch, as it was found out elsewhere than from agents. */
  outranked(epoch: number): Promise<void> {
    return this.#turns.take(async () => {
      if (epoch >= this.epoch) await this.#rise(epoch + 1);
    });
  }

  async #rise(epoch: number): Promise<void> {
    await this.#epochs.write(epoch);
    this.#log.warn({ epoch }, 'there was an operator that this one knows nothing of; going on above it');
    this.#publishing.rise(epoch);
    if (this.#admission) this.#tellPublished(this.#admission);
    this.#publishing.sendTable(this.#state.rows, this.#state.voters);
  }

  /** Of what is published now. */
  get epoch(): number {
    return this.#publishing.epoch;
  }

  plan(role: Role): PublishedPlan | undefined {
    return this.#publishing.plan(role);
  }

  table(): NodeTable {
    return this.#publishing.table;
  }

  admission(): Admission | undefined {
    return this.#admission;
  }

  state(): DecideState {
    return this.#state;
  }

  hasNode(name: string): boolean {
    return this.#state.nodes.has(name);
  }

  resources(): ResourcesView {
    return resourcesView(this.#admission, this.#statuses.written);
  }

  routing(): RoutingView | undefined {
    const { publication, table } = this.#publishing;
    return routingView(publication.routing, table, this.#state);
  }

  /** Whether every connected agent of that role, and at least one, has the newest plan. */
  isEverywhere(role: Role): boolean {
    const plan = this.plan(role);
    return plan !== undefined && isWith(fleetOf(this.#state), role, plan.revision);
  }

  /** An entry of a Secret that a resource names. */
  secretEntry(resource: Resource, name: string, entry: string): string | undefined {
    const file = this.#accepted.newest.resources.get(keyOf(resource))?.file ?? '';
    const found = this.#loaded?.secrets?.(resource.metadata.namespace, name, file);
    return found && 'data' in found ? found.data[entry] : undefined;
  }

  /** Resolves when it is durable; rejects when there is no such node, or the status cannot be written. */
  async force(node: string, forced: ForcedState | undefined): Promise<void> {
    this.event({ type: 'force', node, forced });
    await this.idle();
    if (this.#statuses.isBehind)
      throw new Error('in force, but it could not be written down: see the operator’s log');
  }

  /** Resolves when all that happened so far is worked off and written. */
  async idle(): Promise<void> {
    await this.#turns.idle();
    await this.#accepted.idle();
    await this.certificates.idle();
    await this.#statuses.idle();
  }

  /** The operator ends: what can't be written any more is the next one's. */
  giveUp(): void {
    this.#accepted.giveUp();
    this.#statuses.giveUp();
  }
}

/** For metrics and readiness: what the operator is short of before it can serve agents. */
export function notReadyReason(reconciler: Reconciler): string | undefined {
  const admission = reconciler.admission();
  if (!admission) return 'the manifests have not been read yet';
  return admission.config ? undefined : 'there is no valid weir.yaml';
}
