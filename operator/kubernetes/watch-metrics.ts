/** How well the operator sees the Kubernetes API, by collection. */
import { Counter, Gauge, type Registry } from 'prom-client';

export interface WatchMetrics {
  relists: Counter<'resource' | 'reason'>;
  restarts: Counter<'resource'>;
  missed: Counter<'resource'>;
  /** `lastEvent` in milliseconds since the epoch, nothing before the first. */
  followAge(resource: string, ageMs: () => number | undefined): void;
}

export function watchMetrics(registry: Registry): WatchMetrics {
  const registers = [registry];
  const ages = new Map<string, () => number | undefined>();
  new Gauge({
    name: 'weir_operator_watch_last_event_age_seconds',
    help: 'Since the API server last said anything about a collection, bookmarks included.',
    labelNames: ['resource'],
    registers,
    collect() {
      for (const [resource, age] of ages) {
        const ms = age();
        if (ms !== undefined) this.set({ resource }, ms / 1_000);
      }
    },
  });
  return {
    relists: new Counter({
      name: 'weir_operator_watch_relists_total',
      help: 'Whole readings of a collection, by the reason for it: Start, Expired, Periodic.',
      labelNames: ['resource', 'reason'],
      registers,
    }),
    restarts: new Counter({
      name: 'weir_operator_watch_restarts_total',
      help: 'Watches that ended, for whatever reason, and were taken up again.',
      labelNames: ['resource'],
      registers,
    }),
    missed: new Counter({
      name: 'weir_operator_watch_missed_total',
      help: 'Objects that a periodic reading found other than the watch had them.',
      labelNames: ['resource'],
      registers,
    }),
    followAge: (resource, age) => void ages.set(resource, age),
  };
}
