/** The process of agents, as the bench holds it: what each of them saw, by what it was. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Orders, Seen } from './agents.ts';

export class AgentProcess {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, 'agents.ts'));
  readonly #seen = new Map<string, Seen[]>();
  readonly #ended = Promise.withResolvers<never>();
  #connected = () => {};
  #waiting: { wants: (what: string) => boolean; count: number; done: (seen: Seen[]) => void }[] = [];

  constructor() {
    // Ended by itself, it has said why: nothing more will come. Whoever waits cleans up.
    this.#child.on('exit', (code) => {
      if (code !== null) this.#ended.reject(new Error(`the process of agents ended with ${code}`));
    });
    this.#ended.promise.catch(() => {});
    this.#child.on('message', (told: Seen | { type: 'connected' }) => {
      if (told.type === 'connected') return this.#connected();
      const rows = [...(this.#seen.get(told.what) ?? []), told];
      this.#seen.set(told.what, rows);
      const ready = this.#waiting.filter(({ wants, count }) => wants(told.what) && rows.length >= count);
      this.#waiting = this.#waiting.filter((each) => !ready.includes(each));
      for (const { done } of ready) done(rows);
    });
  }

  connect(orders: Orders): Promise<void> {
    const connected = new Promise<void>((resolve) => {
      this.#connected = resolve;
    });
    this.#child.send(orders);
    return Promise.race([connected, this.#ended.promise]);
  }

  /** When that many agents have acked it. */
  all(what: string, count: number): Promise<Seen[]> {
    const rows = this.#seen.get(what) ?? [];
    return rows.length >= count ? Promise.resolve(rows) : this.#wait((other) => other === what, count);
  }

  /** The first plan from now on that all of them have. */
  nextPlan(count: number): Promise<Seen[]> {
    const known = new Set(this.#seen.keys());
    return this.#wait((what) => what.startsWith('plan ') && !known.has(what), count);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  #wait(wants: (what: string) => boolean, count: number): Promise<Seen[]> {
    const all = new Promise<Seen[]>((done) => this.#waiting.push({ wants, count, done }));
    return Promise.race([all, this.#ended.promise]);
  }
}
