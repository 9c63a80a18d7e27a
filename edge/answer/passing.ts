/**
 * Requests that the cache has no part in: to the origin as they are, and the answer to this client alone, with plain
 * backpressure. Unsafe methods make what is stored of their target invalid (RFC 9111 4.4).
 */
import { parseCacheControl } from '../cache/cache-control.ts';
import type { PurgeScope } from '../cache/purge-scope.ts';
import type { Exchange } from '../exchange.ts';
import { field, without } from '../headers.ts';
import type { Origin, OriginResponse } from '../origin/origin.ts';
import { BadRequest, normalHost, splitUrl } from '../request/target.ts';
import { type Answer, NO_BODY } from './answer.ts';
import type { CacheNote } from './cache-status.ts';
import { clientHeaders, type Teller, withBrowserTtl } from './client-headers.ts';

export interface Passing {
  pass(exchange: Exchange, note: CacheNote): Promise<Answer>;
  /** The first half of `pass`: who asks must hand the answer over, or destroy its body. */
  ask(exchange: Exchange): Promise<OriginResponse>;
  /** An answer that was fetched already. */
  handOver(exchange: Exchange, response: OriginResponse, note: CacheNote): Answer;
}

export function createPassing(parts: {
  teller: Teller;
  origin: Origin;
  invalidate: (scopes: readonly PurgeScope[]) => void;
}): Passing {
  const { teller, origin, invalidate } = parts;

  function handOver(exchange: Exchange, response: OriginResponse, note: CacheNote): Answer {
    const { status } = response;
    const { domain, request } = exchange;
    const bodiless = request.method === 'HEAD' || status === 204 || status === 304;
    if (bodiless) void response.body.dump();
    const told = browserHeaders(exchange, response);
    return {
      status,
      // A 204 has no length, whatever its origin says (RFC 9110 8.6).
      headers: clientHeaders(status === 204 ? without(told, LENGTH) : told, teller, note),
      body: bodiless ? NO_BODY : { kind: 'stream', stream: response.body.stream() },
      domain: domain.label,
      result: note.hit ? 'hit' : note.fwd === 'bypass' || note.fwd === 'method' ? 'bypass' : 'miss',
    };
  }

  async function ask(exchange: Exchange): Promise<OriginResponse> {
    const { request, target, domain } = exchange;
    return await origin.fetch({
      domain,
      method: request.method,
      path: target.path,
      query: target.query,
      host: target.host,
      headers: exchange.originHeaders(),
      body: request.body,
      signal: request.gone(),
      onInterim: request.interim,
    });
  }

  return {
    handOver,
    ask,
    async pass(exchange, note) {
      const { request } = exchange;
      const response = await ask(exchange);
      if (!SAFE.has(request.method) && response.status >= 200 && response.status < 400) {
        invalidate(invalidated(exchange, response));
      }
      return handOver(exchange, response, note);
    },
  };
}

const LENGTH = new Set(['content-length']);

/** RFC 9110 9.2.1. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** An answer for one client keeps what it says to that client; only a public one is told for how long to keep it. */
function browserHeaders({ rule }: Exchange, { status, headers }: OriginResponse) {
  // What is meant for a CDN says nothing about browsers.
  const directives = parseCacheControl(field(headers, 'cache-control'));
  const own = ['private', 'no-store', 'no-cache'].some((name) => directives.has(name));
  return own || field(headers, 'set-cookie') !== undefined
    ? headers
    : withBrowserTtl(headers, status, rule.rule.browserTtl);
}

/** The target, and what Location and Content-Location name on the same domain (RFC 9111 4.4). */
function invalidated({ domain, target }: Exchange, { headers }: OriginResponse): PurgeScope[] {
  const places = [
    { path: target.path, query: target.query },
    ...['location', 'content-location'].flatMap((name) =>
      placeOn(domain.hostnames, target, field(headers, name)),
    ),
  ];
  return places.map((place) => ({ domain: domain.uid, by: 'url', ...place }));
}

function placeOn(
  hosts: ReadonlySet<string>,
  target: { host: string; path: string },
  location: string | undefined,
): { path: string; query: string }[] {
  const url = location === undefined ? null : URL.parse(location, `http://${target.host}${target.path}`);
  if (url === null) return [];
  try {
    return hosts.has(normalHost(url.host)) ? [splitUrl(url.pathname + url.search)] : [];
  } catch (error) {
    if (error instanceof BadRequest) return [];
    throw error;
  }
}
