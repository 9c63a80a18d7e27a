/**
 * Which edge plan every node should have by now. One that has been out for less than five seconds is on its way: that a
 * thousand nodes have not acked it yet, and then have, is no news. Pure but for what it remembers; the time is given.
 */
import type { Revision } from '../../contract/plans/revision.ts';

const ON_ITS_WAY_MS = 5_000;

export class DuePlan {
  #due: Revision | undefined;
  #onTheirWay: { revision: Revision; until: number }[] = [];

  /** The newest whose time is over; the first one at once. */
  get revision(): Revision | undefined {
    return this.#due;
  }

  published(revision: Revision, now: number): void {
    this.#due ??= revision;
    this.#onTheirWay.push({ revision, until: now + ON_ITS_WAY_MS });
  }

  /** Whether another one is due now than before. */
  advance(now: number): boolean {
    const over = this.#onTheirWay.filter(({ until }) => until <= now);
    this.#onTheirWay = this.#onTheirWay.slice(over.length);
    const newest = over.at(-1)?.revision;
    const isAnother = newest !== undefined && newest !== this.#due;
    this.#due = newest ?? this.#due;
    return isAnother;
  }
}
