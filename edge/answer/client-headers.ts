/** What clients are told beside the origin's own fields: Age, Via, Cache-Status, and the rule's browserTtl. Pure. */
import { toldAgeSeconds } from '../cache/freshness.ts';
import { field, type Headers, without } from '../headers.ts';
import { type CacheNote, withCacheStatus } from './cache-status.ts';

export interface Teller {
  node: string;
  edgeId: string;
}

export function clientHeaders(headers: Headers, { node, edgeId }: Teller, note: CacheNote): Headers {
  const via = field(headers, 'via');
  // Tags, and what the Note calls a surrogate's own, are between origin and caches.
  const rest = without(headers, OURS);
  // RFC 9110 7.6.3: the version by which the answer came here, which is how origins are asked.
  const named: Headers = [...rest, ['via', via === undefined ? `1.1 ${edgeId}` : `${via}, 1.1 ${edgeId}`]];
  return withCacheStatus(named, node, note);
}

const OURS = new Set(['via', 'surrogate-key', 'surrogate-control', 'cache-tag']);

/** The Age of this answer in place of the one it came with (RFC 9111 5.1). */
export function withAge(headers: Headers, ageMs: number): Headers {
  return [...without(headers, AGE), ['age', String(Math.floor(ageMs / 1_000))]];
}

const AGE = new Set(['age']);
const BROWSER_FRESHNESS = new Set(['cache-control', 'expires', 'pragma']);

/**
 * `browserTtl`: what browsers hear instead of the origin's Cache-Control; errors are left as they are. They may keep the
 * answer for that long from now, and a browser takes the Age that we send off its lifetime (RFC 9111 4.2): so it is
 * added here.
 */
export function withBrowserTtl(headers: Headers, status: number, browserTtl: number | undefined): Headers {
  if (browserTtl === undefined || status >= 400) return headers;
  const maxAge = browserTtl + toldAgeSeconds(headers);
  return [...without(headers, BROWSER_FRESHNESS), ['cache-control', `max-age=${maxAge}`]];
}
