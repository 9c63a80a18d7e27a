/** What a request that the store cannot answer has fetched for the cache. */
import type { FillRequest } from '../cache/fill.ts';
import type { CacheKey } from '../cache/key.ts';
import type { StoredObject } from '../cache/stored-object.ts';
import { type Exchange, fillHeaders } from '../exchange.ts';
import type { Headers } from '../headers.ts';
import type { Observer } from '../observer.ts';
import type { Origin, OriginResponse } from '../origin/origin.ts';

export interface FillSources {
  origin: Origin;
  observer: Observer;
}

export interface ToFill {
  key: CacheKey;
  joinId: string;
  joinable: boolean;
  stale: StoredObject | undefined;
  usableOnError: boolean;
  admitted?: boolean;
  /** Fields beside the conditions. */
  asks?: Headers;
  /** The answer, as it is to be stored. */
  read?: (response: OriginResponse) => OriginResponse;
}

export function fillRequest(
  { origin, observer }: FillSources,
  exchange: Exchange,
  fill: ToFill,
): FillRequest {
  const { domain, target, terms, selecting, rule, request } = exchange;
  const { key, joinId, joinable, stale, usableOnError, admitted, asks = [], read = asItIs } = fill;
  return {
    key,
    joinId,
    joinable,
    terms,
    selecting,
    ttl: rule.rule.ttl,
    heuristicTtl: rule.rule.heuristicTtl,
    failsOnError: usableOnError,
    admitted: admitted ?? request.prefetch ?? false,
    stale,
    fetch: async (conditions, signal) => {
      const response = await origin.fetch({
        domain,
        method: 'GET',
        path: target.path,
        query: target.query,
        host: target.host,
        headers: fillHeaders(exchange, [...asks, ...conditions]),
        signal,
        onInterim: request.interim,
      });
      return read(response);
    },
    onBytes: (bytes) => observer.fetched(domain.label, bytes),
  };
}

const asItIs = (response: OriginResponse) => response;
