/**
 * The loop that `main.ts` draws: each thing that happens is folded into values by the pure rooms, and what comes out
 * goes to the rim. One thing at a time, in the order of arrival.
 *
 *     loaded ─> admit ─> (accepted forms durable) ─> compile ─> publish ─> plans out ─┐
 *     connect, report, tick ───────────────────────────────────────────> decide ──────┴─> tables, commands out ─> status
 */

import { randomUUID } from 'node:crypto';
import type { Resource } from '../contract/kinds/kinds.ts';
import type { ObjectRef } from '../contract/kinds/metadata.ts';
import type { ForcedState, NodeRow, NodeTable } from '../contract/plans/node-table.ts';
import type { PublishedPlan } from '../contract/plans/published-plan.ts';
import { formatRevision } from '../contract/plans/revision.ts';
import { formatProblem, type Problem } from '../contract/problem.ts';
import type { Command, Role } from '../contract/stream/messages.ts';
import type { ResourcesView, RoutingView } from '../contract/stream/operator-api.ts';
import type { Clock } from '../lib/clock.ts';
import { type Latest, latest } from '../lib/latest.ts';
import type { Log } from '../lib/log.ts';
import { admit } from './admit/admit.ts';
import { type Accepted, type Admission, refOf, resourceKey } from './admit/snapshot.ts';
import { CertificateBook } from './certificates/book.ts';
import type { Vault } from './certificates/vault.ts';
import { compile } from './compile/compile.ts';
import { decide } from './decide/decide.ts';
import { formTaken } from './decide/quarantine.ts';
import { type DecideEvent, type DecideState, type Effect, initialState } from './decide/state.ts';
import type { EpochStore } from './publish/epoch-file.ts';
import { isForeign, type Publication, publish, raiseEpoch, startPublication } from './publish/publication.ts';
import type { Caller } from './relay/relay.ts';
import type { AcceptedStore } from './source/folder/accepted-files.ts';
import type { Loaded } from './source/source.ts';
import { DuePlan } from './status/due-plan.ts';
import { fleetOf } from './status/fleet.ts';
import type { Statuses } from './status/record.ts';
import { restoredSince, restoredStatuses } from './status/restored.ts';
import type { StatusStore } from './status/status-files.ts';
import { StatusWriting } from './status/status-writing.ts';
import { resourcesView } from './status/view.ts';

/** Where results go. Nothing comes back from here. */
export interface Outbox {
  plan(role: Role, plan: PublishedPlan): void;
  table(table: NodeTable): void;
  command(node: string, command: Command): void;
  /** The node's EdgeNode is gone. */
  dismiss(node: string): void;
  /** A finished job has outlived its time. */
  expire(ref: ObjectRef, uid: string): void;
}

export interface Stores {
  accepted: AcceptedStore;
  status: StatusStore;
  epoch: EpochStore;
  vault: Vault;
}

interface ReconcilerOptions {
  /** Version of this operator. */
  build: string;
  stores: Stores;
  outbox: Outbox;
  clock: Clock;
  log: Log;
}

interface Memory {
  accepted: Accepted;
  statuses: Statuses;
  epoch: number;
  certificates: CertificateBook;
}

/** What happens within this is one table. */
const GATHER_MS = 50;
/** Accepted forms are waited for so long before the plan that has them goes out. */
const WRITE_FIRST_MS = 500;

export class Reconciler {
  readonly certificates: CertificateBook;
  readonly #build: string;
  readonly #stores: Stores;
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #statuses: StatusWriting;
  readonly #due = new DuePlan();
  readonly #acceptedWriter: Latest<void>;
  /** A table is on its way. */
  #gathering = false;
  #accepted: Accepted;
  #admission: Admission | undefined;
  #loaded: Loaded | undefined;
  /** It waits for its turn. */
  #newest: Loaded | undefined;
  #publication: Publication;
  #state: DecideState;
  #table: NodeTable;
  /** A write failed: the next tick tries again. */
  #acceptedBehind = false;
  #isGivenUp = false;
  /** Agents that this run has greeted. */
  readonly #met = new Set<string>();
  #queue: Promise<void> = Promise.resolve();

  /** Reads what must survive, and takes the next epoch: written down before the first plan goes out. */
  static async open(options: ReconcilerOptions): Promise<Reconciler> {
    const { accepted, status, epoch, vault } = options.stores;
    const next = (await epoch.read()) + 1;
    await epoch.write(next);
    return new Reconciler(options, {
      accepted: await accepted.load(),
      statuses: await status.load(),
      epoch: next,
      certificates: await CertificateBook.open(vault, options.log),
    });
  }

  private constructor({ build, stores, outbox, clock, log }: ReconcilerOptions, memory: Memory) {
    this.#build = build;
    this.#stores = stores;
    this.#outbox = outbox;
    this.#clock = clock;
    this.#log = log;
    this.#accepted = memory.accepted;
    this.certificates = memory.certificates;
    this.#publication = startPublication(memory.epoch, restoredSince(memory.statuses), randomUUID());
    this.#state = initialState(restoredStatuses(memory.statuses, build));
    this.#table = { version: { epoch: memory.epoch, seq: 0 }, rows: [] };
    this.#statuses = new StatusWriting({
      store: stores.status,
      written: memory.statuses,
      look: () => this.#look(),
      clock,
      log,
    });
    this.#acceptedWriter = latest(() => this.#writeAccepted());
  }

  /** Resolves when that moment, or a newer one that came before its turn, is worked off. */
  loaded(loaded: Loaded): Promise<void> {
    this.#newest = loaded;
    return this.#inTurn(async () => {
      // While accepted forms are written, moments come faster than they go: only the newest counts.
      if (this.#newest) await this.#load(this.#newest);
    });
  }

  /** Resolves with the epoch to greet an agent with. One that met an operator we know nothing of makes us rise above it. */
  connecting({ role, node, run, seen }: Caller): Promise<number> {
    const name = `${role}/${node}`;
    return this.#inTurn(async () => {
      const met = this.#met.has(name);
      if (isForeign(this.#publication, { run, seen, met })) await this.#rise(seen + 1);
      this.#met.add(name);
      return this.#publication.epoch;
    });
  }

  /** Looks again at what was read last: something else came that plans are made of. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const loaded = this.#newest ?? this.#loaded;
      if (loaded) await this.#load(loaded);
    });
  }

  /** An entry of a Secret that a resource names. */
  secretEntry(resource: Resource, name: string, entry: string): string | undefined {
    const file = this.#accepted.resources.get(resourceKey(refOf(resource)))?.file ?? '';
    const found = this.#loaded?.secrets?.(resource.metadata.namespace, name, file);
    return found && 'data' in found ? found.data[entry] : undefined;
  }

  /** Whether every connected agent of that role, and at least one, has the newest plan. */
  isEverywhere(role: Role): boolean {
    const plan = this.plan(role);
    if (!plan) return false;
    const fleet = fleetOf(this.#state);
    const verdict = role === 'edge' ? fleet.programmed(plan.revision) : fleet.routed(plan.revision);
    return verdict.status === 'True';
  }

  /** Another leads, or led, with this epoch, as it was found out elsewhere than from agents. */
  outranked(epoch: number): Promise<void> {
    return this.#inTurn(async () => {
      if (epoch >= this.epoch) await this.#rise(epoch + 1);
    });
  }

  event(event: DecideEvent): void {
    const before = this.#state;
    this.#decide(event);
    if (event.type === 'tick' && this.#acceptedBehind) this.#acceptedWriter.offer();
    if (event.type === 'tick') this.certificates.retry();
    // What was in order comes to its end without anybody's doing.
    if (event.type === 'tick' && this.certificates.isStale(this.#clock.now())) void this.reload();
    if (event.type === 'report' && this.#state !== before) this.#gatherTable();
    if (this.#state !== before || this.#statuses.isBehind || (event.type === 'tick' && this.#isStale()))
      this.#statuses.offer();
  }

  /** Nobody said anything, and what was told of is another all the same. */
  #isStale(): boolean {
    const isDue = this.#due.advance(this.#clock.now());
    return this.#statuses.hasStrayed() || isDue;
  }

  /** Of what is published now. */
  get epoch(): number {
    return this.#publication.epoch;
  }

  plan(role: Role): PublishedPlan | undefined {
    return role === 'edge' ? this.#publication.edge : this.#publication.routing;
  }

  table(): NodeTable {
    return this.#table;
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
    const published = this.#publication.routing;
    const health = Object.fromEntries(
      [...this.#state.dnsServers].map(([name, server]) => [name, server.health]),
    );
    return published && { published, table: this.#table, health };
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
    await this.#queue;
    await this.#acceptedWriter.idle();
    await this.certificates.idle();
    await this.#statuses.idle();
  }

  /** The operator ends: what can't be written any more is the next one's. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#statuses.giveUp();
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

  /** Steps that wait for the disk run one after the other. */
  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(step);
    this.#queue = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  async #load(loaded: Loaded): Promise<void> {
    const started = performance.now();
    this.#newest = undefined;
    this.#loaded = loaded;
    const { quarantined } = this.#state.quarantine;
    const isTaken = (key: string) => formTaken(this.#state, key);
    const admission = admit(loaded, this.#accepted, { quarantined, isTaken });
    this.#logProblems(admission.problems);
    this.#accepted = admission.accepted;
    this.#admission = admission;
    const admitted = performance.now();
    this.certificates.settle(admission.accepted.resources.values(), loaded.secrets, this.#clock.now());
    await this.#writtenFirst();
    if (admission.config) {
      // Nodes and jobs first: a plan must not go out before a node that it names is known here.
      this.#decide({ type: 'snapshot', snapshot: admission.snapshot });
      const written = performance.now();
      const next = publish(
        this.#publication,
        compile(admission.snapshot, admission.config, this.certificates),
      );
      const compiled = performance.now();
      this.#publish(next, {
        admit: Math.round(admitted - started),
        write: Math.round(written - admitted),
        compile: Math.round(compiled - written),
      });
      this.#tellPublished(admission);
    }
    this.#statuses.offer();
  }

  /**
   * What goes into plans is written down before, so that no crash forgets it; but ten thousand new domains take an API
   * server many seconds, and agents do not wait for all of those.
   */
  async #writtenFirst(): Promise<void> {
    this.#acceptedWriter.offer();
    let cancel = () => {};
    const enough = new Promise<void>((resolve) => {
      cancel = this.#clock.after(WRITE_FIRST_MS, resolve);
    });
    await Promise.race([Promise.all([this.#acceptedWriter.idle(), this.certificates.idle()]), enough]);
    cancel();
  }

  /** They are in force whether they can be written or not. */
  async #writeAccepted(): Promise<void> {
    try {
      await this.#stores.accepted.save(this.#accepted);
      this.#acceptedBehind = false;
    } catch (error) {
      if (!this.#acceptedBehind && !this.#isGivenUp)
        this.#log.error({ err: error }, 'accepted forms are not written; trying again with each tick');
      this.#acceptedBehind = true;
    }
  }

  async #rise(epoch: number): Promise<void> {
    await this.#stores.epoch.write(epoch);
    this.#log.warn({ epoch }, 'there was an operator that this one knows nothing of; going on above it');
    this.#publish(raiseEpoch(this.#publication, epoch));
    if (this.#admission) this.#tellPublished(this.#admission);
    this.#sendTable(this.#state.rows, this.#state.voters);
  }

  /** Which forms of which resources the newest plans have, so that a refusal can be put down to one. */
  #tellPublished({ snapshot, quarantined }: Admission): void {
    const { edge, routing } = this.#publication;
    if (!edge || !routing) return;
    const plans = { edge: edge.revision, 'dns-server': routing.revision };
    this.#decide({ type: 'published', snapshot, plans, quarantined: new Set(quarantined.keys()) });
  }

  /** `took`: milliseconds of what led to it. */
  #publish(next: Publication, took: Record<string, number> = {}): void {
    const { edge, routing } = this.#publication;
    this.#publication = next;
    if (next.edge && next.edge !== edge) this.#sendPlan('edge', next.edge, took);
    if (next.routing && next.routing !== routing) this.#sendPlan('dns-server', next.routing, took);
  }

  #sendPlan(role: Role, plan: PublishedPlan, took: Record<string, number>): void {
    this.#log.info(
      { role, revision: formatRevision(plan.revision), digest: plan.digest.slice(0, 12), took },
      'plan published',
    );
    if (role === 'edge') this.#due.published(plan.revision, this.#clock.now());
    this.#outbox.plan(role, plan);
  }

  #decide(event: DecideEvent): void {
    const { state, effects } = decide(this.#state, event, this.#clock.now());
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'table':
        this.#sendTable(effect.rows, effect.voters);
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
    const found = [...this.#state.jobs].find(([, { job }]) => resourceKey(refOf(job)) === resourceKey(ref));
    return found?.[0] ?? '';
  }

  #sendTable(rows: readonly NodeRow[], voters: readonly string[]): void {
    const { epoch } = this.#publication;
    const seq = this.#table.version.epoch === epoch ? this.#table.version.seq + 1 : 1;
    this.#table = { version: { epoch, seq }, rows: [...rows], voters: [...voters] };
    this.#outbox.table(this.#table);
  }

  #look() {
    const admission = this.#admission;
    if (!admission) return undefined;
    const { holdings } = this.certificates;
    return {
      admission,
      publication: this.#publication,
      state: this.#state,
      holdings,
      due: this.#due.revision,
      build: this.#build,
    };
  }

  #logProblems(problems: readonly Problem[]): void {
    const before = new Set(this.#admission?.problems.map(formatProblem));
    for (const problem of problems) {
      const text = formatProblem(problem);
      if (!before.has(text)) this.#log.error({ problem }, text);
    }
    if (before.size > 0 && problems.length === 0) this.#log.info('all manifests are in order again');
  }
}

/** For metrics and readiness: what the operator is short of before it can serve agents. */
export function notReadyReason(reconciler: Reconciler): string | undefined {
  const admission = reconciler.admission();
  if (!admission) return 'the manifests have not been read yet';
  return admission.config ? undefined : 'there is no valid weir.yaml';
}
