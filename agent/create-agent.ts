/** The agent put together: files, credential, stream, reports. See agent.ts for the picture. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidPlan } from '../contract/plans/invalid-plan.ts';
import { EMPTY_TABLE, mergeTables, type NodeTable } from '../contract/plans/node-table.ts';
import { applyDelta, type PlanDelta, Unmatched } from '../contract/plans/plan-delta.ts';
import { compareRevisions, formatRevision, NO_REVISION, type Revision } from '../contract/plans/revision.ts';
import { AGENT_FILES } from '../contract/state-folder.ts';
import {
  type Command,
  HEARTBEAT_MS,
  MAX_NAMED,
  PLAN_OF_ROLE,
  type Report,
  type Role,
  type StreamMessage,
} from '../contract/stream/messages.ts';
import { backoff } from '../lib/backoff.ts';
import { latest } from '../lib/latest.ts';
import { type Agent, type AgentOptions, LocalFault, type PlanOf } from './agent.ts';
import { checkPlan } from './check-plan.ts';
import { CredentialKeeper } from './credential/keeper.ts';
import { Refused } from './credential/request.ts';
import { type HeldFiles, heldFiles } from './held-files.ts';
import { HeldSecrets } from './held-secrets.ts';
import { type Reporter, reporter } from './reporter.ts';
import { openStream } from './stream.ts';
import { Whereabouts } from './whereabouts.ts';

/** Reconnects spread over up to 0.5 s at first and 10 s at most: an operator that restarts is found again quickly. */
const RECONNECT_BASE_MS = 500;
const RECONNECT_CAP_MS = 10_000;

export function createAgent<R extends Role>(options: AgentOptions<R>): Agent<R> {
  return new StreamingAgent(options);
}

class StreamingAgent<R extends Role> implements Agent<R> {
  readonly #options: AgentOptions<R>;
  readonly #files: HeldFiles<R>;
  readonly #secrets: HeldSecrets;
  readonly #operator: Whereabouts;
  readonly #keeper: CredentialKeeper;
  readonly #reports: Reporter;
  readonly #ending = new AbortController();
  readonly #plans = latest((offer: PlanOffer) => this.#takePlan(offer));
  readonly #tables = latest<void>(() => this.#takeTable());
  /** Of the newest table that came; what is not in force yet of it lies in `#pending`. */
  #offered: NodeTable['version'] = EMPTY_TABLE.version;
  #pending: NodeTable = EMPTY_TABLE;
  #commands: Promise<void> = Promise.resolve();
  #aside: Promise<unknown> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();
  #held: PlanOf[R] | undefined;
  #table: NodeTable = EMPTY_TABLE;
  #connected = false;
  readonly #merge: (held: PlanOf[R], newer: PlanOf[R]) => PlanOf[R];
  /** Ends the stream that is open. */
  #hangUp = () => {};

  constructor(options: AgentOptions<R>) {
    const { role, node, folder, merge = takeNewer, log } = options;
    this.#options = options;
    this.#merge = merge;
    this.#files = heldFiles({ role, folder, merge, log });
    this.#secrets = new HeldSecrets(options);
    this.#operator = new Whereabouts(options.operator);
    this.#keeper = new CredentialKeeper({
      ...options,
      whereabouts: this.#operator,
      folder: options.credential ?? join(folder, AGENT_FILES.credential),
      signal: this.#ending.signal,
    });
    this.#reports = reporter({
      identity: { role, node },
      operator: this.#operator,
      line: () => this.#keeper.line(),
      signal: this.#ending.signal,
    });
  }

  async load(): Promise<void> {
    await this.#secrets.load();
    this.#table = await this.#files.readTable();
    this.#options.onTable?.(this.#table);
    const stored = await this.#files.readPlan();
    if (!stored) return;
    try {
      const commit = await this.#options.prepare(stored);
      this.#held = stored;
      await commit();
      this.#options.log.info({ revision: formatRevision(stored.revision) }, 'plan from disk in force');
    } catch (error) {
      this.#options.log.error(
        { err: error },
        'the plan on disk can not be put in force; waiting for the operator',
      );
    }
  }

  connect(): void {
    this.#loop = this.#follow();
  }

  report(report: Report): void {
    this.#reports.add(report);
    if (this.#connected) this.#flush();
  }

  /**
   * Reports that do not get through end the stream: opening it again sends them first, and an operator that waits for
   * an ack would send no newer plan before.
   */
  #flush(): void {
    this.#reports.flush().catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'reports wait');
      this.#hangUp();
    });
  }

  held(): PlanOf[R] | undefined {
    return this.#held;
  }

  table(): NodeTable {
    return this.#table;
  }

  connected(): boolean {
    return this.#connected;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#loop;
    await this.#keeper.stop();
    await Promise.all([
      this.#plans.idle(),
      this.#tables.idle(),
      this.#secrets.idle(),
      this.#commands,
      this.#aside,
    ]);
    await this.#files.close();
  }

  async #follow(): Promise<void> {
    const { log } = this.#options;
    const wait = backoff(RECONNECT_BASE_MS, RECONNECT_CAP_MS);
    while (!this.#ending.signal.aborted) {
      try {
        await this.#connectOnce(() => wait.reset());
        log.warn({ operator: this.#operator.current() }, 'the operator ended the stream');
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (error instanceof Refused && error.reason) this.#keeper.refused(error.reason);
        const operator = this.#operator.current();
        log.warn({ operator, reason: messageOf(error) }, 'no stream to the operator; serving what is held');
      }
      this.#connected = false;
      this.#operator.lost();
      await sleep(wait.next(), undefined, { signal: this.#ending.signal }).catch(() => {});
    }
  }

  async #connectOnce(opened: () => void): Promise<void> {
    const { role, node, silenceMs = 3 * HEARTBEAT_MS, log } = this.#options;
    // What waited goes first, so that the operator does not send a command again whose ack lay here.
    await this.#reports.flush();
    const { revision: held = NO_REVISION, digest = '', run = '' } = this.#held ?? {};
    const seen = Math.max(held.epoch, this.#table.version.epoch);
    const dispatcher = await this.#keeper.line();
    const line = new AbortController();
    this.#hangUp = () => line.abort();
    const signal = AbortSignal.any([this.#ending.signal, line.signal]);
    for await (const message of openStream({
      operator: this.#operator,
      role,
      node,
      held,
      digest,
      seen,
      run,
      dispatcher,
      bundle: this.#keeper.bundle(),
      secrets: await this.#secrets.digest(),
      silenceMs,
      signal,
    })) {
      if (message.type === 'hello') {
        opened();
        this.#reports.speak(message.contract);
        this.#connected = true;
        // What was added since the flush above.
        this.#flush();
        log.info({ operator: this.#operator.current(), epoch: message.epoch }, 'connected to the operator');
      }
      this.#receive(message);
    }
  }

  #receive(message: StreamMessage): void {
    switch (message.type) {
      case 'plan':
        this.#plans.offer({ published: message.published });
        break;
      case 'delta':
        this.#plans.offer({ delta: message.delta });
        break;
      case 'table':
        this.#offerTable(message.table);
        break;
      case 'rows':
        this.#offerRows(message.base, message.table);
        break;
      case 'secrets':
        this.#secrets.offer(message, () => this.#hangUp());
        break;
      case 'command':
        // A prefetch takes its time, and a purge must not wait behind it.
        if (message.command.type === 'prefetch')
          this.#aside = Promise.all([this.#aside, this.#run(message.command)]);
        else this.#commands = this.#commands.then(() => this.#run(message.command));
        break;
      case 'trust':
        this.#keeper.bundleChanged(message.bundle);
        break;
      case 'hello':
      case 'heartbeat':
        break;
    }
  }

  async #takePlan(offer: PlanOffer): Promise<void> {
    const revision = 'delta' in offer ? offer.delta.revision : revisionOf(offer.published);
    // Those that came before it may be its certificates.
    await this.#secrets.idle();
    try {
      await this.#putInForce(offer);
      this.report({ type: 'ack', revision: this.#held?.revision ?? NO_REVISION });
    } catch (error) {
      this.#refuse(revision, error);
    }
  }

  #refuse(revision: Revision, error: unknown): void {
    const { log } = this.#options;
    if (error instanceof Unmatched) {
      log.warn({ err: error, revision }, 'a delta does not fit what is held; asking for the whole plan');
      this.report({ type: 'unmatched', revision });
      return;
    }
    const fault = isLocal(error) ? 'Local' : 'Invalid';
    log.error({ err: error, revision, fault }, 'plan refused; keeping the one held');
    const resources = error instanceof InvalidPlan ? error.resources.slice(0, MAX_NAMED) : [];
    this.report({
      type: 'nack',
      revision,
      fault,
      message: messageOf(error).slice(0, 4_096),
      ...(resources.length > 0 && { resources }),
    });
  }

  /** Verify, prepare, write and fsync, commit. Throws before anything changed, or not at all. */
  async #putInForce(offer: PlanOffer): Promise<void> {
    const { prepare, log } = this.#options;
    const held = this.#held;
    const newer = this.#read(offer);
    if (held && compareRevisions(newer.revision, held.revision) < 0) {
      const [offered, kept] = [newer.revision, held.revision].map(formatRevision);
      throw new LocalFault(`revision ${offered} is lower than ${kept}, which is held`);
    }
    const merged = held ? this.#merge(held, newer) : newer;
    // Equal content only gets its new revision written down: nothing is prepared or swapped.
    const commit = held?.digest === newer.digest ? () => {} : await prepare(merged);
    const step = held && 'delta' in offer ? { from: held.revision, delta: offer.delta } : undefined;
    await this.#files.writePlan(merged, step).catch(toLocalFault);
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

  #offerRows(base: Revision, newer: NodeTable): void {
    const isOld = compareRevisions(newer.version, this.#offered) < 0;
    if (!isOld && compareRevisions(base, this.#offered) !== 0)
      throw new Error(`rows after table ${formatRevision(base)}, which never came`);
    this.#offerTable(newer);
  }

  /** Rows that wait for the disk are merged with those that come meanwhile: none is passed over. */
  #offerTable(newer: NodeTable): void {
    if (compareRevisions(newer.version, this.#offered) < 0) return;
    this.#offered = newer.version;
    this.#pending = mergeTables(this.#pending, newer);
    this.#tables.offer();
  }

  async #takeTable(): Promise<void> {
    const newer = this.#pending;
    this.#pending = EMPTY_TABLE;
    if (compareRevisions(newer.version, this.#table.version) < 0) return;
    const merged = mergeTables(this.#table, newer);
    try {
      await this.#files.writeTable(merged, newer);
    } catch (error) {
      this.#options.log.error({ err: error }, 'node table is not written; it is in force until a restart');
    }
    this.#table = merged;
    this.#options.onTable?.(merged);
  }

  async #run(command: Command): Promise<void> {
    const { onCommand, log } = this.#options;
    if (!onCommand) return;
    try {
      this.report({ type: 'done', uid: command.uid, ...(await onCommand(command)) });
    } catch (error) {
      log.error({ err: error, uid: command.uid }, 'command failed');
      this.report({ type: 'failed', uid: command.uid, message: messageOf(error).slice(0, 1_024) });
    }
  }
}

/** What came over the stream: a plan whole, or what leads to it from the one held. */
type PlanOffer = { published: unknown } | { delta: PlanDelta };

const takeNewer = <P>(_held: P, newer: P): P => newer;

/** As far as it can be read: a plan that breaks the schema is nacked by its revision all the same. */
function revisionOf(published: unknown): Revision {
  const revision = (published as { revision?: Partial<Revision> } | null)?.revision;
  return { epoch: Number(revision?.epoch) || 0, seq: Number(revision?.seq) || 0 };
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** A full disk or no memory is this machine's fault wherever it shows. */
const isLocal = (error: unknown) =>
  error instanceof LocalFault || (error instanceof Error && 'syscall' in error && 'code' in error);

function toLocalFault(error: unknown): never {
  throw new LocalFault(messageOf(error), { cause: error });
}
