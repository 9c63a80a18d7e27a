/** One request on its way through the pipeline: what came, and what the steps have found out about it. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { type RequestTerms, requestTerms } from './cache/freshness.ts';
import type { FieldOf } from './cache/vary.ts';
import { field, fromRaw, type Headers } from './headers.ts';
import { OF_THE_CACHE, originHeaders } from './origin/request-headers.ts';
import type { CompiledRule } from './plan/rule.ts';
import { originHost, type ServedDomain } from './plan/served-plan.ts';
import type { Target } from './request/target.ts';
import type { SecureConnection } from './tls/secure-connection.ts';

/** A request as the listener hands it over. */
export interface ClientRequest {
  method: string;
  /** The request target as it came. */
  url: string;
  headers: IncomingHttpHeaders;
  rawHeaders: readonly string[];
  /** Of the head, where the parser let them all pass. */
  bytes?: number;
  clientAddress: string;
  /** By which version of HTTP it came; 1.1 where nothing is said. */
  httpVersion?: string;
  scheme: 'http' | 'https';
  /** Where it came over TLS from a client. */
  secure?: SecureConnection | undefined;
  /** There only when the request has one. */
  body: Readable | undefined;
  /** Aborts when the client has gone. */
  gone(): AbortSignal;
  /** Asked for to be stored, by no client. */
  prefetch?: true;
  /** Passes on an interim answer (RFC 9110 15.2). Absent: nobody would hear it. */
  interim?: (status: number, headers: Headers) => void;
}

export interface Exchange {
  request: ClientRequest;
  target: Target;
  domain: ServedDomain;
  rule: CompiledRule;
  terms: RequestTerms;
  /** What the origin will see, the client's conditions and range included. */
  originHeaders(): Headers;
  /** Fields of the request as the origin sees them: what Vary is about. */
  selecting: FieldOf;
}

export function openExchange(
  edgeId: string,
  found: { request: ClientRequest; target: Target; domain: ServedDomain; rule: CompiledRule },
): Exchange {
  const { request, target, domain } = found;
  let headers: Headers | undefined;
  const forOrigin = () => {
    const { rawHeaders, clientAddress, httpVersion = '1.1', scheme } = request;
    headers ??= originHeaders(fromRaw(rawHeaders), {
      edgeId,
      host: target.host,
      clientAddress,
      httpVersion,
      scheme,
    });
    return headers;
  };
  return {
    ...found,
    terms: requestTerms(request.headers),
    originHeaders: forOrigin,
    // Host stands apart from the rest (origin/origin.ts), and an origin may well vary on it: a key holds no alias.
    selecting: (name) => (name === 'host' ? originHost(domain, target.host) : field(forOrigin(), name)),
  };
}

/** The header of a fetch for the cache: what is asked for is the whole, unconditionally or on the cache's own terms. */
export function fillHeaders(exchange: Exchange, conditions: Headers): Headers {
  return [...exchange.originHeaders().filter(([name]) => !OF_THE_CACHE.has(name)), ...conditions];
}
