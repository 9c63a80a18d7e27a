/**
 * Keys whose last answer could not be shared. For a while nobody waits for another's fetch of them: else each of a
 * hundred clients would queue behind the one before, only to fetch for itself.
 */
import type { Clock } from '../../lib/clock.ts';

const REMEMBER_MS = 10_000;
/** Keys held; the oldest goes first. Losing one costs one client a wait. */
const MAX_KEYS = 10_000;

export class HitForMiss {
  readonly #until = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  mark(key: string): void {
    this.#until.delete(key);
    this.#until.set(key, this.#clock.now() + REMEMBER_MS);
    const oldest = this.#until.keys().next().value;
    if (this.#until.size > MAX_KEYS && oldest !== undefined) this.#until.delete(oldest);
  }

  /** Its answer was shareable after all. */
  clear(key: string): void {
    this.#until.delete(key);
  }

  has(key: string): boolean {
    const until = this.#until.get(key);
    return until !== undefined && until > this.#clock.now();
  }
}
