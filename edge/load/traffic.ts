/** What each domain got since the last look, read off the counters that are kept for the metrics. */
import type { Clock } from '../../lib/clock.ts';

/** Since the start. */
export interface Counts {
  requests: number;
  hits: number;
  bytes: number;
}

/** By `namespace/name`. */
export type CountsByDomain = ReadonlyMap<string, Counts>;

export interface Rates {
  requestsPerSecond: number;
  hitsPerSecond: number;
  bitsPerSecond: number;
}

const NOTHING: Counts = { requests: 0, hits: 0, bytes: 0 };

/** Results for which no body came from the origin. */
const HITS: ReadonlySet<string> = new Set(['hit', 'stale', 'revalidated']);

/** A counter, of this process or summed over several. */
interface Counted {
  get(): Promise<{ values: { labels: Partial<Record<string, string | number>>; value: number }[] }>;
}

export async function countTraffic({
  requests,
  clientBytes,
}: {
  requests: Counted;
  clientBytes: Counted;
}): Promise<CountsByDomain> {
  const [asked, sent] = await Promise.all([requests.get(), clientBytes.get()]);
  const counts = new Map<string, Counts>();
  const add = (domain: unknown, more: Partial<Counts>) => {
    const { requests: all, hits, bytes } = counts.get(String(domain)) ?? NOTHING;
    const { requests: moreRequests = 0, hits: moreHits = 0, bytes: moreBytes = 0 } = more;
    counts.set(String(domain), {
      requests: all + moreRequests,
      hits: hits + moreHits,
      bytes: bytes + moreBytes,
    });
  };
  for (const { labels, value } of asked.values) {
    add(labels.domain, { requests: value, hits: HITS.has(String(labels.result)) ? value : 0 });
  }
  for (const { labels, value } of sent.values) add(labels.domain, { bytes: value });
  return counts;
}

/** Rates since the call before, by domain; a domain that got nothing is left out. */
export function trafficMeter(
  clock: Clock,
  count: () => Promise<CountsByDomain>,
): () => Promise<ReadonlyMap<string, Rates>> {
  let before: CountsByDomain = new Map();
  let at = clock.now();
  return async () => {
    const counts = await count();
    const seconds = Math.max(0.001, (clock.now() - at) / 1_000);
    at = clock.now();
    const rates = [...counts].flatMap(([domain, now]) => {
      const { requests, hits, bytes } = before.get(domain) ?? NOTHING;
      const asked = now.requests - requests;
      const sent = now.bytes - bytes;
      if (asked === 0 && sent === 0) return [];
      const row: Rates = {
        requestsPerSecond: asked / seconds,
        hitsPerSecond: (now.hits - hits) / seconds,
        bitsPerSecond: (sent * 8) / seconds,
      };
      return [[domain, row] as const];
    });
    before = counts;
    return new Map(rates);
  };
}
