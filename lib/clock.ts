/**
 * Time as a value that is handed in: tests move it, production reads it.
 * `now` is milliseconds since the Unix epoch; `every` and `after` return a function that cancels.
 */
export interface Clock {
  now(): number;
  after(ms: number, run: () => void): () => void;
  every(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};

interface Alarm {
  at: number;
  run: () => void;
  period: number | undefined;
}

/** A clock that stands still until `advance` moves it; timers that fall due run in order of their time. */
export class FakeClock implements Clock {
  readonly #alarms = new Set<Alarm>();
  #now: number;

  constructor(now = 1_700_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    return this.#add({ at: this.#now + ms, run, period: undefined });
  }

  every(ms: number, run: () => void): () => void {
    return this.#add({ at: this.#now + ms, run, period: ms });
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (let due = this.#next(until); due; due = this.#next(until)) {
      this.#now = due.at;
      if (due.period === undefined) this.#alarms.delete(due);
      else due.at += due.period;
      due.run();
    }
    this.#now = until;
  }

  #add(alarm: Alarm): () => void {
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  #next(until: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at <= until && (!next || alarm.at < next.at)) next = alarm;
    }
    return next;
  }
}
