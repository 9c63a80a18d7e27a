/**
 * Accepted forms on their way to where they survive: the newest of them, one writing at a time. They are in force whether
 * they can be written or not.
 */
import type { Clock } from '../../lib/clock.ts';
import { type Latest, latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import type { Accepted } from '../admit/snapshot.ts';
import type { AcceptedStore } from './folder/accepted-files.ts';

/** Accepted forms are waited for so long before the plan that has them goes out. */
const WRITE_FIRST_MS = 500;

interface AcceptedWritingOptions {
  store: AcceptedStore;
  /** As an earlier leader left them. */
  accepted: Accepted;
  clock: Clock;
  log: Log;
}

export class AcceptedWriting {
  readonly #options: AcceptedWritingOptions;
  readonly #writer: Latest<void> = latest(() => this.#write());
  #newest: Accepted;
  /** A write failed: the next tick tries again. */
  #isBehind = false;
  #isGivenUp = false;

  constructor(options: AcceptedWritingOptions) {
    this.#options = options;
    this.#newest = options.accepted;
  }

  /** In force now, written or not. */
  get newest(): Accepted {
    return this.#newest;
  }

  offer(accepted: Accepted): void {
    this.#newest = accepted;
    this.#writer.offer();
  }

  retry(): void {
    if (this.#isBehind) this.#writer.offer();
  }

  idle(): Promise<void> {
    return this.#writer.idle();
  }

  /** What is not written now is for the next operator. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /**
   * Resolves when these, and `others` that are written beside them, are durable. What goes into plans is written down
   * before, so that no crash forgets it; but ten thousand new domains take an API server many seconds, and agents do not
   * wait for all of those.
   */
  async writtenFirst(others: Promise<void>): Promise<void> {
    let cancel = () => {};
    const enough = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(WRITE_FIRST_MS, resolve);
    });
    await Promise.race([Promise.all([this.idle(), others]), enough]);
    cancel();
  }

  async #write(): Promise<void> {
    // Another replica may lead by now.
    if (this.#isGivenUp) return;
    const { store, log } = this.#options;
    try {
      await store.save(this.#newest);
      this.#isBehind = false;
    } catch (error) {
      if (!this.#isBehind && !this.#isGivenUp)
        log.error({ err: error }, 'accepted forms are not written; trying again with each tick');
      this.#isBehind = true;
    }
  }
}
