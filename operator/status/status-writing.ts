/**
 * When statuses are made and written: some time after something happened, all of it in one look, and on from there while
 * the store takes only some at once.
 */
import type { Clock } from '../../lib/clock.ts';
import { type Latest, latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import type { StatusInput } from './around.ts';
import type { Statuses } from './record.ts';
import type { StatusStore } from './status-files.ts';
import { type Pass, statuses } from './statuses.ts';

/** What happens within this is one look. */
const GATHER_MS = 50;
/** When there are more to write than is fit at once, the next go out after this. */
const WRITE_ON_MS = 500;
/** The same where only revisions of nodes wait, of which few are taken in a second. */
const TURNS_MS = 4_000;
/** After a look, this many times what it took are for other things. Ten thousand take a while: a second is enough then. */
const REST = 40;
const LONG_REST_MS = 1_000;
/** But a look that takes longer than that is not to be all that is done. */
const LEAST_REST = 8;

const restAfter = (ms: number) => Math.max(LEAST_REST * ms, Math.min(REST * ms, LONG_REST_MS));

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
  /** The last look, where it was written down. */
  #pass: Pass | undefined;
  #cancelGathering: (() => void) | undefined;
  #cancelNext = () => {};
  #restUntil = 0;
  #isBehind = false;
  #isGivenUp = false;

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

  /** What is not written now is for the next operator. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#cancelNext();
    this.#cancelGathering?.();
  }

  /** Something happened. */
  offer(): void {
    if (this.#isGivenUp) return;
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
    // What was offered while the last write ran, too: another replica may lead by now.
    const seen = this.#isGivenUp ? undefined : look();
    if (!seen) return;
    const began = performance.now();
    const before = this.#written;
    const now = clock.now();
    const { records, waiting, pass } = statuses({ ...seen, before, turns: store.turns?.(), now }, this.#pass);
    this.#restUntil = clock.now() + restAfter(performance.now() - began);
    try {
      this.#pass = undefined;
      this.#written = await store.save(before, records);
      this.#pass = pass;
      this.#isBehind = false;
      if (this.#written !== records) this.#lookAgain(WRITE_ON_MS);
      else if (waiting) this.#lookAgain(TURNS_MS);
    } catch (error) {
      // Once for all the ticks that it takes. Cut off at the end of the operator, it is the next one's to write.
      if (!this.#isBehind && !this.#isGivenUp)
        log.error({ err: error }, 'status is not written; trying again with each tick');
      this.#isBehind = true;
    }
  }

  #lookAgain(ms: number): void {
    this.#cancelNext();
    if (!this.#isGivenUp) this.#cancelNext = this.#options.clock.after(ms, () => this.offer());
  }
}
