/** The alarm for domains whose nodes are all down or not admitted: a gauge while it lasts, a log line at each end. */
import type { Log } from '../lib/log.ts';
import type { DnsMetrics } from './metrics.ts';

/** Names in a log line; the gauge has the others. */
const MAX_NAMES = 10;

/** To be called with all such domains whenever they may have changed. */
export function createAllDownAlarm(metrics: DnsMetrics, log: Log): (domains: readonly string[]) => void {
  let alarmed: ReadonlySet<string> = new Set();

  const tell = (level: 'error' | 'info', domains: readonly string[], message: string) => {
    if (domains.length === 0) return;
    log[level]({ domains: domains.slice(0, MAX_NAMES), count: domains.length }, message);
  };

  return (domains) => {
    const before = alarmed;
    const now = new Set(domains);
    alarmed = now;
    metrics.allDown(domains);
    tell(
      'error',
      domains.filter((name) => !before.has(name)),
      'all nodes are down or not admitted; all are answered',
    );
    tell(
      'info',
      [...before].filter((name) => !now.has(name)),
      'nodes can answer again',
    );
  };
}
