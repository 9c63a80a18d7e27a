/**
 * Where a request wants to go: host, path and query in one normal form, which key, rules and origin all use. Two
 * readers of one path (the cache and the origin) that disagree about it are how caches get poisoned. Pure.
 */
import { textMemo } from '../../lib/text-memo.ts';

export interface Target {
  host: string;
  /** Normal form: unreserved characters plain, the rest percent-encoded in capitals, no dot segments. */
  path: string;
  /** As it came, with its `?`, or '' when there is none. */
  query: string;
}

export class BadRequest extends Error {}

/**
 * RFC 9112 3.2: more than one Host, an invalid one, or none in HTTP/1.1 is answered 400, whatever the request line says.
 * Throws BadRequest, with a message for the client.
 */
export function requireHost(hosts: readonly string[], httpVersion = '1.1'): void {
  if (onlyHost(hosts) === undefined && httpVersion !== '1.0') throw new BadRequest('no Host header');
}

function onlyHost([host, ...others]: readonly string[]): string | undefined {
  if (others.length > 0) throw new BadRequest('more than one Host header');
  if (host !== undefined) normalHost(host);
  return host;
}

/** From the request line and the Host fields. Throws BadRequest, with a message for the client. */
export function readTarget(url: string, hosts: readonly string[]): Target {
  const host = onlyHost(hosts);
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  if (absolute === null && host === undefined) throw new BadRequest('no Host header');
  const authority = absolute?.[1] ?? host ?? '';
  return { host: normalHost(authority), ...splitUrl(absolute?.[2] ?? url) };
}

/** Path (normal) and query of what follows the host. */
export function splitUrl(url: string): { path: string; query: string } {
  // A fragment has no business in a request; servers differ on it, so it goes.
  const [bare = ''] = url.split('#', 1);
  const at = bare.indexOf('?');
  const path = at < 0 ? bare : bare.slice(0, at);
  return { path: normalPath(path === '' ? '/' : path), query: at < 0 ? '' : safeQuery(bare.slice(at)) };
}

/** Lower case, without port and trailing dot. */
export const normalHost = textMemo((authority): string => {
  const [, name = '', port] = /^(\[[0-9a-fA-F:.]+\]|[^:]*)(?::(\d*))?$/.exec(authority) ?? [];
  const host = name.toLowerCase().replace(/\.$/, '');
  const valid = /^(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)$/.test(host);
  if (!valid || host.length > 253 || Number(port ?? 0) > 65_535) {
    throw new BadRequest(`the Host header is not a host name: ${JSON.stringify(authority.slice(0, 300))}`);
  }
  return host;
});

/** RFC 3986 6.2.2: percent-encoding and dot segments. `%2F` stays: it is not the same as `/`. */
export function normalPath(path: string): string {
  if (!path.startsWith('/')) throw new BadRequest('the request target does not begin with /');
  // Most paths are normal already; this test is much cheaper than the work below.
  if (/^(?:\/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*)+\/?$/.test(path)) return path;
  return withoutDotSegments(normalEscapes(path));
}

/** RFC 3986 2.3. */
const UNRESERVED = /[A-Za-z0-9._~-]/;

function normalEscapes(text: string): string {
  return text.replace(/%(..)?|[^A-Za-z0-9._~!$&'()*+,;=:@/-]/g, (found, digits: string | undefined) => {
    if (!found.startsWith('%')) return percentEncoded(found);
    if (digits === undefined || !/^[0-9A-Fa-f]{2}$/.test(digits)) {
      throw new BadRequest('a % in the path is not followed by two hexadecimal digits');
    }
    const code = Number.parseInt(digits, 16);
    if (code === 0) throw new BadRequest('the path holds a NUL');
    const character = String.fromCharCode(code);
    return UNRESERVED.test(character) ? character : `%${digits.toUpperCase()}`;
  });
}

/** Node hands over each byte of the request line as one character. */
function percentEncoded(text: string): string {
  return [...Buffer.from(text, 'latin1')].map((byte) => `%${hex(byte)}`).join('');
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}

/** RFC 3986 5.2.4. */
function withoutDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if (last && (segment === '.' || segment === '..')) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** The query goes as it came, but for bytes that may not stand in a request line. */
function safeQuery(query: string): string {
  return query.replace(/[^\x21-\x7e]|["<>]/g, percentEncoded);
}
