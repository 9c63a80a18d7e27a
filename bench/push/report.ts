/** Rounds as a table: percentiles by stage, and ratios to the bare sender. */
import type { Seen } from './agents.ts';
import type { Published } from './operator-process.ts';

export interface Round {
  /** When the API server, or the bare sender, was told: milliseconds since the epoch. */
  at: number;
  seen: readonly Seen[];
  published: Published | undefined;
  /** Seconds over the window. */
  cpu: number;
}

export const print = (line: string) => process.stdout.write(`${line}\n`);

export const lastAck = (seen: readonly Seen[]) => Math.max(...seen.map(({ acked }) => acked));

/** Milliseconds by stage: one for each round, or for each agent of each round. */
type Stages = Map<string, number[]>;

export function fold(rounds: readonly Round[]): Stages {
  const stages: Stages = new Map();
  const add = (name: string, ...values: number[]) =>
    stages.set(name, [...(stages.get(name) ?? []), ...values]);
  for (const { at, seen, published } of rounds) {
    add('to the last ack', lastAck(seen) - at);
    add('to an ack', ...seen.map(({ acked }) => acked - at));
    if (published) {
      const { admit, write, compile } = published.took;
      add('watch', published.at - at - admit - write - compile);
      add('admit', admit);
      add('write', write);
      add('compile', compile);
    }
    const out = published?.at ?? at;
    add('publish', ...seen.map(({ got }) => got - out));
    add('apply', ...seen.map(({ got, kept }) => kept - got));
    add('ack', ...seen.map(({ kept, acked }) => acked - kept));
  }
  return stages;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function report(name: string, ours: Stages, bare: Stages): void {
  print(`\n${name}: milliseconds`);
  const columns = ['', 'p50', 'p99', 'bare p50', 'bare p99', 'p50 ratio', 'p99 ratio'];
  print(columns.map((column, index) => (index === 0 ? column.padEnd(16) : column.padStart(11))).join(''));
  for (const [stage, values] of ours) {
    const [middle, high] = [percentile(values, 0.5), percentile(values, 0.99)];
    const other = bare.get(stage);
    const beside = other
      ? [
          percentile(other, 0.5),
          percentile(other, 0.99),
          middle / percentile(other, 0.5),
          high / percentile(other, 0.99),
        ]
      : [];
    const figures = [middle, high, ...beside.slice(0, 2)].map((value) => value.toFixed(0));
    const ratios = beside.slice(2).map((value) => value.toFixed(2));
    print(stage.padEnd(16) + [...figures, ...ratios].map((text) => text.padStart(11)).join(''));
  }
}

/** CPU of one change, without what the process costs when nothing happens. */
export function cost(ours: readonly Round[], idle: number, bare: readonly Round[], bareIdle: number): void {
  const middle = (rounds: readonly Round[]) =>
    percentile(
      rounds.map(({ cpu }) => cpu),
      0.5,
    );
  const [own, other] = [middle(ours) - idle, middle(bare) - bareIdle];
  const told = (cost: number, less: number) =>
    `${(cost * 1_000).toFixed(0)} ms beside ${(less * 1_000).toFixed(0)} when nothing happens`;
  print(`CPU: ${told(own, idle)}; bare ${told(other, bareIdle)}; ratio ${(own / other).toFixed(2)}`);
}
