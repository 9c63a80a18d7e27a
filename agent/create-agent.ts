/** The agent put together: files, stream, reports. See agent.ts for the picture. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EMPTY_TABLE, mergeTables, type NodeTable } from '../contract/plans/node-table.ts';
import { compareRevisions, formatRevision, NO_REVISION, type Revision } from '../contract/plans/revision.ts';
import {
  type Command,
  HEARTBEAT_MS,
  type Report,
  type Role,
  type StreamMessage,
} from '../contract/stream/messages.ts';
import { readFileIfThere } from '../lib/atomic-file.ts';
import { backoff } from '../lib/backoff.ts';
import { latest } from '../lib/latest.ts';
import { type Agent, type AgentOptions, LocalFault, type PlanOf } from './agent.ts';
import { checkPublished, heldFiles } from './held-files.ts';
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
  readonly #files: ReturnType<typeof heldFiles<R>>;
  readonly #operator: Whereabouts;
  readonly #reports: Reporter;
  readonly #ending = new AbortController();
  readonly #plans = latest((published: unknown) => this.#takePlan(published));
  readonly #tables = latest((table: NodeTable) => this.#takeTable(table));
  #commands: Promise<void> = Promise.resolve();
  #aside: Promise<unknown> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();
  #held: PlanOf[R] | undefined;
  #table: NodeTable = EMPTY_TABLE;
  #connected = false;
  /** Ends the stream that is open. */
  #hangUp = () => {};

  constructor(options: AgentOptions<R>) {
    const { role, node, folder, log } = options;
    this.#options = options;
    this.#files = heldFiles(role, folder, log);
    this.#operator = new Whereabouts(options.operator);
    this.#reports = reporter({
      identity: { role, node },
      operator: this.#operator,
      authorization: () => this.#authorization(),
      signal: this.#ending.signal,
    });
  }

  async load(): Promise<void> {
    this.#table = await this.#files.readTable();
    this.#options.onTable?.(this.#table);
    const stored = await this.#files.readPlan();
    if (!stored) return;
    try {
      const commit = await this.#options.prepare(stored);
      this.#held = stored;
      commit();
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
    await Promise.all([this.#plans.idle(), this.#tables.idle(), this.#commands, this.#aside]);
  }

  async #authorization(): Promise<string> {
    const { tokenFile } = this.#options;
    const token = await readFileIfThere(tokenFile);
    if (token === undefined) throw new Error(`no token in ${tokenFile} yet`);
    return `Bearer ${token.trim()}`;
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
    const held = this.#held?.revision ?? NO_REVISION;
    const seen = Math.max(held.epoch, this.#table.version.epoch);
    const authorization = await this.#authorization();
    const line = new AbortController();
    this.#hangUp = () => line.abort();
    const signal = AbortSignal.any([this.#ending.signal, line.signal]);
    const run = this.#held?.run ?? '';
    for await (const message of openStream({
      operator: this.#operator,
      role,
      node,
      held,
      seen,
      run,
      authorization,
      silenceMs,
      signal,
    })) {
      if (message.type === 'hello') {
        opened();
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
        this.#plans.offer(message.published);
        break;
      case 'table':
        this.#tables.offer(message.table);
        break;
      case 'command':
        // A prefetch takes its time, and a purge must not wait behind it.
        if (message.command.type === 'prefetch')
          this.#aside = Promise.all([this.#aside, this.#run(message.command)]);
        else this.#commands = this.#commands.then(() => this.#run(message.command));
        break;
      case 'hello':
      case 'heartbeat':
        break;
    }
  }

  async #takePlan(published: unknown): Promise<void> {
    const revision = revisionOf(published);
    try {
      await this.#putInForce(published);
      this.report({ type: 'ack', revision: this.#held?.revision ?? NO_REVISION });
    } catch (error) {
      const fault = isLocal(error) ? 'Local' : 'Invalid';
      this.#options.log.error({ err: error, revision, fault }, 'plan refused; keeping the one held');
      this.report({ type: 'nack', revision, fault, message: messageOf(error).slice(0, 4_096) });
    }
  }

  /** Verify, prepare, write and fsync, commit. Throws before anything changed, or not at all. */
  async #putInForce(published: unknown): Promise<void> {
    const { role, merge, prepare, log } = this.#options;
    const newer = checkPublished(role, published);
    const held = this.#held;
    if (held && compareRevisions(newer.revision, held.revision) < 0) {
      const [offered, kept] = [newer.revision, held.revision].map(formatRevision);
      throw new LocalFault(`revision ${offered} is lower than ${kept}, which is held`);
    }
    const merged = held && merge ? merge(held, newer) : newer;
    // Equal content only gets its new revision written down: nothing is prepared or swapped.
    const commit = held?.digest === newer.digest ? () => {} : await prepare(merged);
    await this.#files.writePlan(merged).catch(toLocalFault);
    this.#held = merged;
    commit();
    log.info(
      { revision: formatRevision(merged.revision), digest: merged.digest.slice(0, 12) },
      'plan in force',
    );
  }

  async #takeTable(newer: NodeTable): Promise<void> {
    if (compareRevisions(newer.version, this.#table.version) < 0) return;
    const merged = mergeTables(this.#table, newer);
    try {
      await this.#files.writeTable(merged);
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
