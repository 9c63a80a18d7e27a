/**
 * One program, kept running:
 *
 *     start ─> runs ─ ends by itself ─> wait (0.5 s, 1 s, … 10 s) ─> start
 *                └── restart: SIGTERM ─> start at once
 *                └── stop: SIGTERM, after 10 s SIGKILL ─> ended
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../../lib/backoff.ts';
import { codeFile } from '../../lib/code-files.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import type { Program } from './programs.ts';

/** No jitter: nothing on one machine comes back in a herd. */
const NO_JITTER = () => 1;
const RESTART_AFTER = { firstMs: 500, mostMs: 10_000 };
const KILL_AFTER_MS = 10_000;

export interface ChildOptions {
  log: Log;
  env: NodeJS.ProcessEnv;
  /** Where the program's log goes: one of our own descriptors. */
  logTo: number | 'ignore';
  restartAfter?: typeof RESTART_AFTER;
  killAfterMs?: number;
}

export class Child {
  #program: Program;
  readonly #options: ChildOptions;
  readonly #stopped = new AbortController();
  readonly #ended: Promise<void>;
  #process: ChildProcess | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  #restarting = false;

  constructor(program: Program, options: ChildOptions) {
    this.#program = program;
    this.#options = options;
    this.#ended = this.#keepRunning();
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Ends what runs, and starts the changed program. */
  restart(program: Program): void {
    this.#program = program;
    this.#restarting = true;
    this.#terminate();
  }

  stop(): Promise<void> {
    this.#stopped.abort();
    this.#terminate();
    return this.#ended;
  }

  kill(): void {
    this.#process?.kill('SIGKILL');
  }

  async #keepRunning(): Promise<void> {
    const { log, restartAfter = RESTART_AFTER } = this.#options;
    const { signal } = this.#stopped;
    const delays = backoff(restartAfter.firstMs, restartAfter.mostMs, NO_JITTER);
    while (!signal.aborted) {
      const started = Date.now();
      const end = await this.#runOnce();
      if (signal.aborted) return;
      if (this.#restarting) continue;
      // It worked for a while: what ended it now is a new matter.
      if (Date.now() - started > restartAfter.mostMs) delays.reset();
      const delay = delays.next();
      log.error(
        { program: this.#program.name },
        `${this.#program.name} ended (${end}); starting again in ${delay / 1_000} s`,
      );
      await sleep(delay, undefined, { signal }).catch(() => {});
    }
  }

  /** Resolves with how it ended, in words. */
  async #runOnce(): Promise<string> {
    const { env, logTo } = this.#options;
    this.#restarting = false;
    // In a group of its own, so that Ctrl-C in a terminal reaches us alone and we end things in order. When we die,
    // the channel breaks, and the programs stop by that.
    const child = spawn(process.execPath, [codeFile(this.#program.module), ...this.#program.args], {
      stdio: ['ignore', logTo, logTo, 'ipc'],
      detached: true,
      env,
    });
    this.#process = child;
    try {
      const [code, signal] = await once(child, 'exit');
      return signal === null ? `exit code ${code}` : `signal ${signal}`;
    } catch (error) {
      return messageOf(error);
    } finally {
      clearTimeout(this.#killTimer);
      this.#process = undefined;
    }
  }

  #terminate(): void {
    const child = this.#process;
    if (!child) return;
    child.kill('SIGTERM');
    // One that somebody froze to see what happens would not hear the signal.
    child.kill('SIGCONT');
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => child.kill('SIGKILL'), this.#options.killAfterMs ?? KILL_AFTER_MS);
  }
}
