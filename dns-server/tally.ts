/** A counter that is cheap to count with: prom-client's form is made when the metrics are asked for, not per query. */
import { Counter, type Registry } from 'prom-client';

export class Tally {
  readonly #counts = new Map<string, number>();

  constructor(registry: Registry, name: string, help: string, labelNames: readonly string[]) {
    const counts = this.#counts;
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const [values, count] of counts) {
          const parts = values.split(' ');
          this.inc(Object.fromEntries(labelNames.map((label, index) => [label, parts[index] ?? ''])), count);
        }
      },
    });
  }

  /** Counts one for these label values, in order, with a space between them. */
  count(values: string): void {
    this.#counts.set(values, (this.#counts.get(values) ?? 0) + 1);
  }

  /** Label values that were counted at least once. */
  has(values: string): boolean {
    return this.#counts.has(values);
  }

  get size(): number {
    return this.#counts.size;
  }
}
