/** The access log: which requests are written down, and as what. Thin; line.ts formats, line-file.ts writes. */
import { join } from 'node:path';
import type { AccessLogSettings } from '../../contract/config/access-log.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Ended } from '../observer.ts';
import { lineFormat } from './line.ts';
import { openLineFile } from './line-file.ts';

export interface AccessLog {
  note(ended: Ended): void;
  reopen(): void;
  close(): Promise<void>;
}

export function openAccessLog(
  { file, format, sample, domains }: AccessLogSettings,
  about: { node: string; folder: string; clock: Clock; log: Log; onDropped: (lines: number) => void },
): AccessLog {
  const { node, folder, clock, log, onDropped } = about;
  const path = file === undefined ? undefined : join(folder, file.replaceAll('{node}', node));
  const lines = openLineFile({ path, clock, log, onDropped });
  const formatLine = lineFormat(format);
  const only = domains && new Set(domains);
  // Of each request a share; whenever the shares make a whole, one is written: no dice, and exact.
  let share = 0;

  function isWanted({ domain, status }: Ended): boolean {
    if (only?.has(domain) === false) return false;
    if (status >= 500) return true;
    share += sample;
    if (share < 1) return false;
    share -= 1;
    return true;
  }

  return {
    note(ended) {
      if (!isWanted(ended)) return;
      const { domain, client, protocol, method, scheme, host, url, status, bytes, result, ms } = ended;
      lines.add(
        formatLine({
          time: new Date(clock.now()).toISOString(),
          node,
          domain,
          client,
          protocol,
          method,
          scheme,
          host,
          url,
          status,
          bytes,
          result,
          ms: ms === undefined ? undefined : Math.round(ms * 1_000) / 1_000,
          referer: ended.field('referer'),
          userAgent: ended.field('user-agent'),
        }),
      );
    },
    reopen: () => lines.reopen(),
    close: () => lines.close(),
  };
}
