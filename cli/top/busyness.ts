/** How busy edges and domains are, read off the operator's metrics. Pure. */
import { LOAD_METRICS, type LoadMetric } from '../../contract/stream/load-metrics.ts';
import { parsePrometheusText, type Sample } from '../../lib/prometheus-text.ts';

type Part<K extends keyof typeof LOAD_METRICS> = Record<keyof (typeof LOAD_METRICS)[K], number>;

export interface Busyness {
  nodes: ReadonlyMap<string, Part<'node'>>;
  /** By `namespace/name`. */
  domains: ReadonlyMap<string, Part<'domain'>>;
}

export const NOTHING_TOLD: Busyness = { nodes: new Map(), domains: new Map() };

export function busynessOf(metrics: string): Busyness {
  const samples = parsePrometheusText(metrics);
  return { nodes: rowsOf(samples, 'node'), domains: rowsOf(samples, 'domain') };
}

function rowsOf<K extends keyof typeof LOAD_METRICS>(
  samples: readonly Sample[],
  label: K,
): Map<string, Part<K>> {
  const parts = Object.entries<LoadMetric>(LOAD_METRICS[label]);
  const none = Object.fromEntries(parts.map(([part]) => [part, 0]));
  const rows = new Map<string, Record<string, number>>();
  for (const { name, labels, value } of samples) {
    const part = parts.find(([, metric]) => metric.name === name)?.[0];
    const key = labels[label];
    if (part !== undefined && key !== undefined) rows.set(key, { ...none, ...rows.get(key), [part]: value });
  }
  // Each row began with all parts.
  return rows as Map<string, Part<K>>;
}
