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
  return median(samples.filter((sample) => sample.server === server).map(value));
}

/** Of none it is not a number. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** One worker and several, of the same edge: what a request costs in each, and whether that is as little as wanted. */
export function workersReport(samples: readonly Sample[], one: string, several: string): string[] {
  const casesOf = (name: string) =>
    new Set(samples.filter(({ server }) => server === name).map((sample) => sample.case));
  const cases = [...casesOf(several)].filter((of) => casesOf(one).has(of));
  return cases.map((of) => {
    const own = samples.filter((sample) => sample.case === of);
    const cost = (server: string) =>
      medianOf(own, server, ({ cpuSeconds, requests }) => cpuSeconds / requests);
    const ratio = cost(one) / cost(several);
    const verdict = ratio >= WORKERS_WANTED ? 'reached' : 'missed';
    return `${several}, ${of.name}: ${ratio.toFixed(2)} of ${one} per CPU second; wanted ${WORKERS_WANTED}, ${verdict}`;
  });
}

const WORKERS_WANTED = 0.85;
