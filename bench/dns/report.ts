/** What was measured, as tables. */
import { textTable } from '../../lib/text-table.ts';
import type { Case, Target } from './cases.ts';
import type { Perf } from './dnsperf.ts';

export interface Measured {
  runs: (Perf & { cpuSeconds: number })[];
  mebibytes: number;
}

export function printCase(each: Case, measured: ReadonlyMap<string, Measured>): void {
  const asked = each.ecs ? 'a random /24 in each query' : 'no ECS';
  console.log(
    `\n${each.name}: ${each.domains} domains, ${asked}, ${each.transport}${each.signed ? ', signed' : ''}${each.cookies ? ', cookies' : ''}`,
  );
  const first = [...measured.values()][0];
  const rows = [...measured].map(([name, result]) => [
    name,
    median(result.runs.map(({ perSecond }) => perSecond)).toFixed(0),
    median(result.runs.map(({ latencyMs }) => latencyMs)).toFixed(2),
    cpuPerQuery(result).toFixed(2),
    first ? (cpuPerQuery(result) / cpuPerQuery(first)).toFixed(2) : '',
    result.mebibytes.toFixed(0),
  ]);
  const titles = ['SERVER', 'QUERIES/S', 'LATENCY MS', 'CPU US/QUERY', 'X THE FIRST', 'MIB'];
  console.log(textTable([titles, ...rows]).join('\n'));
}

export function printTargets(targets: readonly Target[], measured: ReadonlyMap<string, Measured>): void {
  const rows = targets.flatMap(({ what, of, over, atMost }) => {
    const [one, other] = [measured.get(of), measured.get(over)];
    if (!one || !other) return [];
    const ratio = cpuPerQuery(one) / cpuPerQuery(other);
    const verdict = Number.isNaN(atMost) ? '' : ratio <= atMost ? 'holds' : 'does not hold';
    return [[what, ratio.toFixed(2), Number.isNaN(atMost) ? '' : atMost.toFixed(2), verdict]];
  });
  if (rows.length === 0) return;
  console.log(`\n${textTable([['CPU PER QUERY', 'RATIO', 'AT MOST', ''], ...rows]).join('\n')}`);
}

/** The median of the runs, in microseconds. */
function cpuPerQuery({ runs }: Measured): number {
  return median(runs.map(({ cpuSeconds, completed }) => (1e6 * cpuSeconds) / completed));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
