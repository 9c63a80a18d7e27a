/** Cache-Status (RFC 9211): what this cache did with a request. Pure. */
import { field, type Headers } from '../headers.ts';

export type CacheNote =
  | { hit: true; ttl: number }
  | {
      hit: false;
      /** RFC 9211 2.2. */
      fwd: 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'request' | 'stale' | 'partial';
      /** What the origin answered, where that is not what the client gets. */
      fwdStatus?: number | undefined;
      ttl?: number | undefined;
      stored?: boolean;
      collapsed?: boolean;
      /** A word of ours on why. */
      detail?: string | undefined;
    };

/** The field with this cache behind those that the answer passed before (RFC 9211 2). */
export function withCacheStatus(headers: Headers, node: string, note: CacheNote): Headers {
  const before = field(headers, 'cache-status');
  const own = cacheStatus(node, note);
  const rest = before === undefined ? headers : headers.filter(([name]) => name !== 'cache-status');
  return [...rest, ['cache-status', before === undefined ? own : `${before}, ${own}`]];
}

export function cacheStatus(node: string, note: CacheNote): string {
  // A token must begin with a letter; any other name is a string (RFC 9651 3.3).
  const name = /^[A-Za-z]/.test(node) ? node : JSON.stringify(node);
  if (note.hit) return `${name}; hit; ttl=${note.ttl}`;
  const parts = [name, `fwd=${note.fwd}`];
  if (note.fwdStatus !== undefined) parts.push(`fwd-status=${note.fwdStatus}`);
  if (note.ttl !== undefined) parts.push(`ttl=${note.ttl}`);
  if (note.stored) parts.push('stored');
  if (note.collapsed) parts.push('collapsed');
  if (note.detail !== undefined) parts.push(`detail=${note.detail}`);
  return parts.join('; ');
}
