/**
 * The queries that taught a slot, to be asked again when slots are made anew: so that no query that was asked before has
 * to wait for the thread with the plan, just when that has most to do. Pure but for what it holds.
 */
import type { IpAddress } from '../geo/ip-address.ts';

export interface Lesson {
  message: Buffer;
  source: IpAddress;
}

/** A few hundredths of a millisecond each, at every change of health. */
const MAX_LESSONS = 256;

export class Lessons {
  /** By what each taught: those that were asked since, and those that were only asked again. */
  #fresh = new Map<string, Lesson>();
  #repeated = new Map<string, Lesson>();

  /** `taught` is the slot and the shape of query. */
  remember(taught: string, message: Buffer, { version, bytes }: IpAddress): void {
    if (this.#fresh.size >= MAX_LESSONS) return;
    this.#fresh.set(taught, {
      message: Buffer.from(message),
      source: { version, bytes: Uint8Array.from(bytes) },
    });
  }

  /** It taught something again. */
  keep(taught: string, lesson: Lesson): void {
    this.#repeated.set(taught, lesson);
  }

  /** All of them, what somebody asked of late first; what is not kept is forgotten. */
  take(): Lesson[] {
    const all = [...this.#fresh.values(), ...this.#repeated.values()].slice(0, MAX_LESSONS);
    this.#fresh = new Map();
    this.#repeated = new Map();
    return all;
  }
}
