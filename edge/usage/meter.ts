/** What each domain got since the last look, for the usage rows. In memory; a look a minute empties it. */
import type { UsageRow } from '../../contract/stream/usage.ts';
import type { Answered } from '../observer.ts';

export interface UsageMeter {
  answered(answered: Pick<Answered, 'domain' | 'status' | 'result'>): void;
  sent(domain: string, bytes: number): void;
  fetched(domain: string, bytes: number): void;
  /** What another process of this edge counted. */
  add(rows: readonly UsageRow[]): void;
  /** The rows up to now; the next ones begin at nothing. */
  take(): UsageRow[];
}

export function createUsageMeter(): UsageMeter {
  let rows = new Map<string, UsageRow>();

  function rowOf(domain: string): UsageRow {
    const known = rows.get(domain);
    if (known !== undefined) return known;
    const row = { domain, requests: 0, clientBytes: 0, originBytes: 0, statuses: {}, results: {} };
    rows.set(domain, row);
    return row;
  }

  return {
    answered({ domain, status, result }) {
      const row = rowOf(domain);
      row.requests++;
      const statusClass = CLASSES[Math.floor(status / 100) - 1] ?? '5xx';
      row.statuses[statusClass] = (row.statuses[statusClass] ?? 0) + 1;
      row.results[result] = (row.results[result] ?? 0) + 1;
    },
    sent(domain, bytes) {
      rowOf(domain).clientBytes += bytes;
    },
    fetched(domain, bytes) {
      rowOf(domain).originBytes += bytes;
    },
    add(more) {
      for (const { domain, requests, clientBytes, originBytes, statuses, results } of more) {
        const row = rowOf(domain);
        row.requests += requests;
        row.clientBytes += clientBytes;
        row.originBytes += originBytes;
        addTo(row.statuses, statuses);
        addTo(row.results, results);
      }
    },
    take() {
      const taken = [...rows.values()];
      rows = new Map();
      // Requests for no domain of ours are nobody's.
      return taken.filter(({ domain }) => domain !== '').sort((a, b) => (a.domain < b.domain ? -1 : 1));
    },
  };
}

function addTo<K extends string>(counts: Partial<Record<K, number>>, more: Partial<Record<K, number>>): void {
  for (const name in more) counts[name] = (counts[name] ?? 0) + (more[name] ?? 0);
}

const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;
