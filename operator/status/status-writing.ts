/**
 * When statuses are made and written: some time after something happened, all of it in one look, and on from there while
 * the store takes only some at once.
 */
import type { Clock } from '../../lib/clock.ts';
import { type Latest, latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import type { Statuses } from './record.ts';
import type { StatusStore } from './status-files.ts';
import { type StatusInput, statuses } from './statuses.ts';

/** What happens within this is one look. */
const GATHER_MS = 50;
/** When there are more to write than is fit at once, the next go out after this. */
const WRITE_ON_MS = 500;
/** After a look, this many times what it took are for other things: ten thousand take a while. */
const REST = 8;

/** What statuses are made of, as it is now; nothing before manifests were read. */
type Look = () => Omit<StatusInput, 'before' | 'now'> | undefined;

interface StatusWritingOptions {
  store: StatusStore;
  /** As an earlier leader left them. */
  written: Statuses;
  look: Look;
  clock: Clock;
  log: Log;
}

export class StatusWriting {
  readonly #options: StatusWritingOptions;
  readonly #writer: Latest<void> = latest(() => this.#write());
  #written: Statuses;
  #cancelGathering: (() => void) | undefined;
  #restUntil = 0;
  #isBehind = false;

  constructor(options: StatusWritingOptions) {
    this.#options = options;
    this.#written = options.written;
  }

  /** What people can ask for is what is durable: a job is Complete once that is written down. */
  get written(): Statuses {
    return this.#written;
  }

  /** A write failed: the next tick tries again. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** What was written may stand there no more. */
  hasStrayed(): boolean {
    return this.#options.store.hasStrayed?.() === true;
  }

  /** Something happened. */
  offer(): void {
    const { clock } = this.#options;
    const wait = Math.max(GATHER_MS, this.#restUntil - clock.now());
    this.#cancelGathering ??= clock.after(wait, () => this.#gathered());
  }

  /** Resolves when all that was offered is looked at, and written as far as the store takes it. */
  async idle(): Promise<void> {
    if (this.#cancelGathering) this.#gathered();
    await this.#writer.idle();
  }

  #gathered(): void {
    this.#cancelGathering?.();
    this.#cancelGathering = undefined;
    this.#writer.offer();
  }

  async #write(): Promise<void> {
    const { store, look, clock, log } = this.#options;
    const seen = look();
    if (!seen) return;
    const began = performance.now();
    const before = this.#written;
    const after = statuses({ ...seen, before, now: clock.now() });
    this.#restUntil = clock.now() + REST * (performance.now() - began);
    try {
      this.#written = await store.save(before, after);
      this.#isBehind = false;
      if (this.#written !== after) clock.after(WRITE_ON_MS, () => this.offer());
    } catch (error) {
      // Once for all the ticks that it takes.
      if (!this.#isBehind) log.error({ err: error }, 'status is not written; trying again with each tick');
      this.#isBehind = true;
    }
  }
}
