/**
 * The edge's metrics. `domain` is `namespace/name` of domains in the plan, so its values are bounded by the plan; series
 * of one that left it go. Histograms, with many series each, have their own for so many domains, and `other` for the rest.
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { StoreStats } from './cache/store.ts';
import { countAside } from './counting-aside.ts';
import type { ServedPlan } from './plan/served-plan.ts';

export type EdgeMetrics = ReturnType<typeof createMetrics>;

/** Domains with histograms of their own: the first by name, so that they stay the same. */
const MOST_TIMED = 500;
const OTHER = 'other';

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `weir_edge_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name: `weir_edge_${name}`, help, labelNames, registers });
  const metrics = {
    registry,
    requests: counter('requests_total', 'Requests by what the cache did for them.', ['domain', 'result']),
    fastHits: counter('fast_hits_total', 'Hits that were answered straight from the socket.', []),
    limited: counter('limited_total', 'Requests and connections that ran into a limit, by limit.', ['limit']),
    handshakes: counter(
      'tls_handshakes_total',
      'TLS handshakes, by what became of them and by version where they were done.',
      ['result', 'version'],
    ),
    usageDropped: counter(
      'usage_dropped_batches_total',
      'Minutes of usage that were thrown away: the operator has not taken any for a week, or they cannot be read.',
      [],
    ),
    accessLogDropped: counter(
      'access_log_dropped_total',
      'Lines of the access log that could not be written in time.',
      [],
    ),
    inFlight: gauge('requests_in_flight', 'Requests that are being answered.', []),
    clientBytes: counter('client_bytes_total', 'Bytes of bodies sent to clients.', ['domain']),
    originBytes: counter('origin_bytes_total', 'Bytes of bodies that came from origins.', ['domain']),
    originRequests: counter('origin_requests_total', 'Requests to origins, by the class of their answer.', [
      'domain',
      'answer',
    ]),
    answerSeconds: new Histogram({
      name: 'weir_edge_answer_seconds',
      help: 'Time from a request’s head to its answer’s; hits of the fast path are not timed.',
      labelNames: ['domain', 'result'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    originSeconds: new Histogram({
      name: 'weir_edge_origin_head_seconds',
      help: 'Time until an origin’s answer began.',
      labelNames: ['domain'],
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    storedBytes: gauge('stored_bytes', 'Bytes stored, by tier.', ['tier']),
    storedObjects: gauge('stored_objects', 'Objects stored on disk, and keys in memory.', ['tier']),
    evictions: counter('evictions_total', 'Objects that had to make room, by tier.', ['tier']),
    domainStoredBytes: gauge('domain_stored_bytes', 'Bytes on disk, by domain.', ['domain']),
    domainEvictions: counter('domain_evictions_total', 'Objects on disk that had to make room, by domain.', [
      'domain',
    ]),
    commands: counter('commands_total', 'Commands applied.', ['type']),
    purgedObjects: counter('purged_objects_total', 'Objects that purges dropped.', []),
    prefetches: counter('prefetched_urls_total', 'URLs of prefetches, by what came of them.', ['outcome']),
    storeErrors: counter('store_errors_total', 'Failed reads and writes of the disk tier.', ['operation']),
    planRevision: gauge('plan_revision', 'Revision of the plan in force.', ['part']),
    domains: gauge('domains', 'Domains that are served, those that linger included.', []),
  };
  const aside = countAside(metrics);
  let timed: ReadonlySet<string> = new Set();
  let plan: ServedPlan | undefined;
  /** Those with a series for each domain. */
  const byDomain: readonly ByDomain[] = [
    metrics.requests,
    metrics.clientBytes,
    metrics.originBytes,
    metrics.originRequests,
    metrics.answerSeconds,
    metrics.originSeconds,
    metrics.domainEvictions,
  ];
  const timedAs = (domain: string) => (domain === '' || timed.has(domain) ? domain : OTHER);
  const ofUid = (uid: string) => timedAs(plan?.byUid.get(uid)?.label ?? OTHER);
  return {
    ...metrics,
    ...aside,
    /** Whose name a histogram has this domain under. */
    timedAs,
    /** An object of a domain had to make room on disk. */
    evicted(uid: string): void {
      metrics.evictions.inc({ tier: 'disk' });
      metrics.domainEvictions.inc({ domain: ofUid(uid) });
    },
    showPlan(next: ServedPlan): void {
      const { revision, byUid } = next;
      plan = next;
      const labels = [...byUid.values()].map(({ label }) => label).sort();
      timed = new Set(labels.slice(0, MOST_TIMED));
      const kept = new Set(['', OTHER, ...labels]);
      for (const metric of byDomain) void forget(metric, kept);
      metrics.planRevision.set({ part: 'epoch' }, revision.epoch);
      metrics.planRevision.set({ part: 'seq' }, revision.seq);
      metrics.domains.set(byUid.size);
    },
    /** Asked when the metrics are read. */
    followStore(stats: () => Partial<StoreStats>): void {
      Object.assign(metrics.storedBytes, {
        collect() {
          const { byDomain: _, ...tiers } = stats();
          for (const [tier, { objects, bytes }] of Object.entries(tiers)) {
            metrics.storedObjects.set({ tier }, objects);
            metrics.storedBytes.set({ tier }, bytes);
          }
        },
      });
      Object.assign(metrics.domainStoredBytes, {
        collect() {
          metrics.domainStoredBytes.reset();
          for (const [uid, { bytes }] of stats().byDomain ?? []) {
            metrics.domainStoredBytes.inc({ domain: ofUid(uid) }, bytes);
          }
        },
      });
    },
  };
}

interface ByDomain {
  get(): Promise<{ values: readonly { labels: Partial<Record<string, string | number>> }[] }>;
  remove(labels: Record<string, string | number>): void;
}

/** Takes out the series of domains that are no more. */
async function forget(metric: ByDomain, kept: ReadonlySet<string>): Promise<void> {
  const { values } = await metric.get();
  for (const { labels } of values) {
    // A histogram tells each series once for each bucket.
    const { le: _, ...own } = labels;
    if (own.domain !== undefined && !kept.has(String(own.domain)))
      metric.remove(own as Record<string, string>);
  }
}
