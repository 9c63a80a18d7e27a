/**
 * The header that an origin sees. What a client may claim about forwarding is replaced by what is so: an origin that
 * believes X-Forwarded-Host, while the cache key does not hold it, is how strangers get their pages into a cache. Pure.
 */
import { endToEnd, field, type Headers } from '../headers.ts';
import { normalAcceptEncoding } from '../request/accept-encoding.ts';

/** Set by us, or by nobody. */
const NOT_FROM_CLIENTS = new Set([
  'accept-encoding',
  'cdn-loop',
  'content-length',
  'expect',
  'forwarded',
  'front-end-https',
  'host',
  'http2-settings',
  'max-forwards',
  'true-client-ip',
  'via',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-path',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-protocol',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-host',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-host',
  'x-original-url',
  'x-real-ip',
  'x-rewrite-url',
  'x-url-scheme',
]);

/** Conditions and ranges are the client's with us; the cache puts its own questions to the origin. */
export const OF_THE_CACHE = new Set([
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
  'range',
]);

export interface Forwarding {
  /** `weir-zz-1`, in Via and CDN-Loop. */
  edgeId: string;
  host: string;
  clientAddress: string;
  httpVersion: string;
  scheme: 'http' | 'https';
}

export function originHeaders(
  client: Headers,
  { edgeId, host, clientAddress, httpVersion, scheme }: Forwarding,
): Headers {
  const via = field(client, 'via');
  const received = `${httpVersion} ${edgeId}`;
  const loop = field(client, 'cdn-loop');
  const length = field(client, 'content-length');
  const hops = field(client, 'max-forwards');
  return [
    ...endToEnd(client).filter(([name]) => mayBeFromClients(name)),
    ['accept-encoding', normalAcceptEncoding(field(client, 'accept-encoding'))],
    ['x-forwarded-for', clientAddress],
    ['x-forwarded-proto', scheme],
    ['x-forwarded-host', host],
    // RFC 9110 7.6.3 and RFC 8586: each hop adds itself, with the version by which it was asked.
    ['via', via === undefined ? received : `${via}, ${received}`],
    ['cdn-loop', loop === undefined ? edgeId : `${loop}, ${edgeId}`],
    ...(length === undefined ? [] : [['content-length', length] as const]),
    // RFC 9110 7.6.2. Of methods that may go further in spite of a 0 it says nothing.
    ...(hops !== undefined && /^\d+$/.test(hops) && Number(hops) > 0
      ? [['max-forwards', String(Number(hops) - 1)] as const]
      : []),
  ];
}

/**
 * CGI, and PHP, WSGI and Rack after it, write `-` as `_` (RFC 3875 4.1.18): an origin takes X_Forwarded_Host for our
 * X-Forwarded-Host, and If_None_Match for a condition of the cache.
 */
function mayBeFromClients(name: string): boolean {
  if (!name.includes('_')) return !NOT_FROM_CLIENTS.has(name);
  const readAs = name.replaceAll('_', '-');
  return !NOT_FROM_CLIENTS.has(readAs) && !OF_THE_CACHE.has(readAs) && endToEnd([[readAs, '']]).length > 0;
}

/** Has this request been here before (RFC 8586)? Parameters behind a `;` do not matter. */
export function isLoop(cdnLoop: string | undefined, edgeId: string): boolean {
  if (cdnLoop === undefined) return false;
  return cdnLoop.split(',').some((item) => item.split(';')[0]?.trim().toLowerCase() === edgeId.toLowerCase());
}
