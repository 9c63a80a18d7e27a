/** Keeps the programs of a table running: starts what is new in it, restarts what changed, stops what is gone. */
import { isDeepStrictEqual } from 'node:util';
import { Child, type ChildOptions } from './child.ts';
import type { Program } from './programs.ts';

export class Supervisor {
  readonly #options: ChildOptions;
  readonly #running = new Map<string, { program: Program; child: Child }>();
  /** Out of the table, and not ended yet: one of the same name has to wait for its ports, until a later `follow`. */
  readonly #ending = new Map<string, { child: Child; ended: Promise<void> }>();
  #stopping = false;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  follow(table: readonly Program[]): void {
    if (this.#stopping) return;
    const wanted = new Set(table.map(({ name }) => name));
    for (const name of this.#running.keys()) if (!wanted.has(name)) this.#end(name);
    for (const program of table) this.#run(program);
  }

  pids(): Record<string, number | undefined> {
    return Object.fromEntries([...this.#running].map(([name, { child }]) => [name, child.pid]));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const name of this.#running.keys()) this.#end(name);
    await Promise.all([...this.#ending.values()].map(({ ended }) => ended));
  }

  /** For those who can not wait for `stop`. */
  kill(): void {
    for (const { child } of [...this.#running.values(), ...this.#ending.values()]) child.kill();
  }

  #run(program: Program): void {
    const { name } = program;
    const before = this.#running.get(name);
    if (before && isDeepStrictEqual(before.program, program)) return;
    if (before) {
      this.#options.log.info(`${name} changed: starting it anew`);
      before.child.restart(program);
      this.#running.set(name, { program, child: before.child });
    } else if (!this.#ending.has(name)) {
      this.#options.log.info(`starting ${name}`);
      this.#running.set(name, { program, child: new Child(program, this.#options) });
    }
  }

  #end(name: string): void {
    const entry = this.#running.get(name);
    if (!entry) return;
    this.#options.log.info(`stopping ${name}`);
    this.#running.delete(name);
    const ended = entry.child.stop().then(() => void this.#ending.delete(name));
    this.#ending.set(name, { child: entry.child, ended });
  }
}
