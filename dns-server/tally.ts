/** A counter that is cheap to count with: prom-client's form is made when the metrics are asked for, not per query. */
import { Counter, type Registry } from 'prom-client';

export class Tally {
  readonly #counts = new Map<string, number>();

  /** `refresh` is called before the counts are read, for what is counted elsewhere in between. */
  constructor(
    registry: Registry,
    name: string,
    help: string,
    labelNames: readonly string[],
    refresh: () => void = () => {},
  ) {
    const counts = this.#counts;
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        refresh();
        this.reset();
        for (const [values, count] of counts) {
          const parts = values.split(' ');
          this.inc(Object.fromEntries(labelNames.map((label, index) => [label, parts[index] ?? ''])), count);
        }
      },
    });
  }

  /** Counts for these label values, in order, with a space between them. */
  count(values: string, by = 1): void {
    this.#counts.set(values, (this.#counts.get(values) ?? 0) + by);
  }

  /** Label values that were counted at least once. */
  has(values: string): boolean {
    return this.#counts.has(values);
  }

  get size(): number {
    return this.#counts.size;
  }
}
