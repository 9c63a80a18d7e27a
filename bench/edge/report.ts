/** The table that is printed: medians of the rounds, and the ratio to nginx in requests per CPU second. Pure. */
import { textTable } from '../../lib/text-table.ts';
import type { Case } from './cases.ts';
import type { Load } from './wrk.ts';

export interface Sample extends Load {
  case: Case;
  server: string;
  cpuSeconds: number;
}

export function report(samples: readonly Sample[]): string[] {
  const cases = [...new Set(samples.map((sample) => sample.case))];
  const rows = cases.flatMap((of) =>
    rowsOf(
      of,
      samples.filter((sample) => sample.case === of),
    ),
  );
  const head = [
    'case',
    'server',
    'req/s',
    'p50 ms',
    'p99 ms',
    'CPU us/req',
    'per CPU s against nginx',
    'wanted',
  ];
  return textTable([head, ...rows]);
}

function rowsOf(of: Case, samples: readonly Sample[]): string[][] {
  const servers = [...new Set(samples.map(({ server }) => server))];
  const costs = new Map(
    servers.map((server) => [
      server,
      medianOf(samples, server, ({ cpuSeconds, requests }) => cpuSeconds / requests),
    ]),
  );
  const reference = costs.get('nginx');
  return servers.map((server) => {
    const cost = costs.get(server) ?? Number.NaN;
    const ratio = reference === undefined ? Number.NaN : reference / cost;
    const median = (value: (sample: Sample) => number) => medianOf(samples, server, value);
    const faults = samples.some((sample) => sample.server === server && sample.faults > 0);
    const ours = server.startsWith('weir');
    return [
      of.name,
      faults ? `${server} (with errors)` : server,
      median(({ requests, seconds }) => requests / seconds).toFixed(0),
      median(({ p50Ms }) => p50Ms).toFixed(2),
      median(({ p99Ms }) => p99Ms).toFixed(2),
      (cost * 1e6).toFixed(1),
      ratio.toFixed(2),
      ours ? `${of.wanted.toFixed(2)} ${ratio >= of.wanted ? 'reached' : 'missed'}` : '',
    ];
  });
}

function medianOf(samples: readonly Sample[], server: string, value: (sample: Sample) => number): number {
  const sorted = samples
    .filter((sample) => sample.server === server)
    .map(value)
    .sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
