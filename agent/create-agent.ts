/** The agent put together: files, credential, stream, reports. See agent.ts for the picture. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeTable } from '../contract/plans/node-table.ts';
import { NO_REVISION } from '../contract/plans/revision.ts';
import { AGENT_FILES } from '../contract/state-folder.ts';
import {
  type Command,
  HEARTBEAT_MS,
  type Report,
  type Role,
  type StreamMessage,
} from '../contract/stream/messages.ts';
import { backoff } from '../lib/backoff.ts';
import { messageOf } from '../lib/message-of.ts';
import type { Agent, AgentOptions, PlanOf } from './agent.ts';
import { CredentialKeeper } from './credential/keeper.ts';
import { Refused } from './credential/request.ts';
import { type HeldFiles, heldFiles } from './held-files.ts';
import { HeldPlan } from './held-plan.ts';
import { HeldSecrets } from './held-secrets.ts';
import { HeldTable } from './held-table.ts';
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
  readonly #plan: HeldPlan<R>;
  readonly #table: HeldTable;
  #commands: Promise<void> = Promise.resolve();
  #aside: Promise<unknown> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();
  #connected = false;
  /** Ends the stream that is open. */
  #hangUp = () => {};

  constructor(options: AgentOptions<R>) {
    const { role, node, folder, merge = takeNewer, log } = options;
    this.#options = options;
    this.#files = heldFiles({ role, folder, merge, log });
    this.#secrets = new HeldSecrets(options);
    this.#table = new HeldTable({ files: this.#files, onTable: options.onTable ?? (() => {}), log });
    this.#plan = new HeldPlan({
      role,
      files: this.#files,
      merge,
      prepare: options.prepare,
      secretsTaken: () => this.#secrets.idle(),
      report: (report) => this.report(report),
      log,
    });
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
    await this.#table.load();
    await this.#plan.load();
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
    return this.#plan.held;
  }

  table(): NodeTable {
    return this.#table.held;
  }

  connected(): boolean {
    return this.#connected;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#loop;
    await this.#keeper.stop();
    await Promise.all([
      this.#plan.idle(),
      this.#table.idle(),
      this.#secrets.stop(),
      this.#commands,
      this.#aside,
    ]);
    await this.#files.close();
  }

  async #follow(): Promise<void> {
    const { log } = this.#options;
    const wait = backoff(RECONNECT_BASE_MS, RECONNECT_CAP_MS);
    const waitForNext = backoff(RECONNECT_BASE_MS, RECONNECT_BASE_MS);
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
      // Of three replicas one is dead and one leads: to wait long after each of them is to look for the leader for long.
      const pause = this.#operator.lost() ? wait.next() : waitForNext.next();
      await sleep(pause, undefined, { signal: this.#ending.signal }).catch(() => {});
    }
  }

  async #connectOnce(opened: () => void): Promise<void> {
    const { role, node, silenceMs = 3 * HEARTBEAT_MS, log } = this.#options;
    // What waited goes first, so that the operator does not send a command again whose ack lay here.
    await this.#reports.flush();
    const { revision: held = NO_REVISION, digest = '', run = '' } = this.#plan.held ?? {};
    const seen = Math.max(held.epoch, this.#table.held.version.epoch);
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
        this.#plan.offer({ published: message.published });
        break;
      case 'delta':
        this.#plan.offer({ delta: message.delta });
        break;
      case 'table':
        this.#table.offer(message.table);
        break;
      case 'rows':
        this.#table.offerRows(message.base, message.table);
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

const takeNewer = <P>(_held: P, newer: P): P => newer;
