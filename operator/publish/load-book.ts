/**
 * How busy edges and domains are, as edges tell it: for people and dashboards, as metrics of the operator. Decisions
 * (operator/decide/load.ts) take what they need from the reports themselves.
 */
import { Gauge, type Registry } from 'prom-client';
import { LOAD_METRICS, type LoadMetric } from '../../contract/stream/load-metrics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { LoadReport } from '../decide/load.ts';

/** Three beats of an edge. What is older says nothing of now. */
const FRESH_MS = 30_000;

export interface LoadBook {
  note(node: string, report: LoadReport): void;
}

export function loadBook(registry: Registry, clock: Clock): LoadBook {
  const told = new Map<string, { at: number; report: LoadReport }>();
  const fresh = () => {
    for (const [node, { at }] of told) if (clock.now() - at > FRESH_MS) told.delete(node);
    return [...told].map(([node, { report }]) => ({ node, report }));
  };
  const gauge = (
    label: 'node' | 'domain',
    { name, help }: LoadMetric,
    read: () => Iterable<[string, number]>,
  ) =>
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [key, value] of read()) this.set({ [label]: key }, value);
      },
    });
  for (const [part, metric] of Object.entries(LOAD_METRICS.node)) {
    gauge('node', metric, () =>
      fresh().map(({ node, report }) => [node, Number(Reflect.get(report, part) ?? 0)]),
    );
  }
  for (const [part, metric] of Object.entries(LOAD_METRICS.domain)) {
    gauge('domain', metric, () => sums(fresh(), part));
  }
  return { note: (node, report) => void told.set(node, { at: clock.now(), report }) };
}

/** Over all edges. */
function sums(rows: readonly { report: LoadReport }[], part: string): Map<string, number> {
  const byDomain = new Map<string, number>();
  for (const { report } of rows) {
    for (const row of report.domains ?? []) {
      byDomain.set(row.domain, (byDomain.get(row.domain) ?? 0) + Number(Reflect.get(row, part)));
    }
  }
  return byDomain;
}
