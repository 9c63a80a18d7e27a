/** Requests to origins, by undici. Thin: what is asked, and what the answer means, is decided elsewhere. */
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import type { Clock } from '../../lib/clock.ts';
import { endToEnd, type Headers } from '../headers.ts';
import type { EdgeMetrics } from '../metrics.ts';
import { originHost, type ServedDomain } from '../plan/served-plan.ts';
import { ask, type RawHeaders } from './asking.ts';
import { connector } from './connector.ts';
import { isBrokenConnection, OriginFailure, UnknownCoding } from './failure.ts';
import type { OriginBody } from './origin-body.ts';

export interface OriginRequest {
  domain: ServedDomain;
  method: string;
  /** In normal form. */
  path: string;
  query: string;
  /** The client's host. */
  host: string;
  headers: Headers;
  body?: Readable | undefined;
  signal?: AbortSignal;
  /** 102 and 103, as they come. */
  onInterim?: ((status: number, headers: Headers) => void) | undefined;
}

export interface OriginResponse {
  status: number;
  /** End-to-end fields, names in lower case. */
  headers: Headers;
  body: OriginBody;
  requestTime: number;
  responseTime: number;
  /** Of an answer that is a slice: how long the whole is (cache/slice.ts). */
  total?: number;
}

export interface OriginTimeouts {
  connectMs: number;
  /** Until the head has come. */
  headMs: number;
  /** Between two pieces of the body. */
  bodyMs: number;
}

export const DEFAULT_TIMEOUTS: OriginTimeouts = { connectMs: 5_000, headMs: 30_000, bodyMs: 30_000 };

/** Methods that may be sent twice (RFC 9110 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

export interface Origin {
  /** Throws OriginFailure when there is no answer. */
  fetch(request: OriginRequest): Promise<OriginResponse>;
  close(): Promise<void>;
}

export function createOrigin(clock: Clock, metrics: EdgeMetrics, timeouts = DEFAULT_TIMEOUTS): Origin {
  const agent = new Agent({
    connect: connector(timeouts.connectMs),
    headersTimeout: timeouts.headMs,
    bodyTimeout: timeouts.bodyMs,
    // Longer than this an origin's own idle time-out may strike between our request and its close.
    keepAliveTimeout: 4_000,
    maxHeaderSize: 64 * 1_024,
  });

  async function attempt(request: OriginRequest): Promise<OriginResponse> {
    const { domain, method, path, query, host, headers, body, signal, onInterim } = request;
    const requestTime = clock.now();
    const response = await ask(agent, {
      options: {
        origin: domain.origin.base,
        path: `${domain.origin.pathPrefix}${path}${query}`,
        // undici's type lists the methods of RFC 9110; it sends any token.
        method: method as Dispatcher.HttpMethod,
        headers: ['host', originHost(domain, host), ...headers.flat()],
        body: body ?? null,
      },
      signal,
      // 100 is about this hop's request, which has no Expect.
      onInfo: (status, fields) => {
        if (status > 101) onInterim?.(status, endToEnd(headerList(fields)));
      },
    });
    // We asked for none, and what is in it can't be read (RFC 9112 6.1): taken as it is, it would be stored as the content.
    const coding = response.headers['transfer-encoding'];
    if (coding !== undefined && String(coding).toLowerCase() !== 'chunked') {
      response.body.abandon();
      throw new UnknownCoding();
    }
    return {
      status: response.status,
      headers: endToEnd(headerList(response.headers)),
      body: response.body,
      requestTime,
      responseTime: clock.now(),
    };
  }

  return {
    async fetch(request) {
      const { label } = request.domain;
      const begin = performance.now();
      try {
        const response = await attempt(request).catch((error: unknown) => {
          const repeatable = request.body === undefined && IDEMPOTENT.has(request.method);
          if (!repeatable || !isBrokenConnection(error) || request.signal?.aborted) throw error;
          return attempt(request);
        });
        metrics.originRequests.inc({ domain: label, answer: `${Math.floor(response.status / 100)}xx` });
        metrics.originSeconds.observe(
          { domain: metrics.timedAs(label) },
          (performance.now() - begin) / 1_000,
        );
        return response;
      } catch (error) {
        metrics.originRequests.inc({ domain: label, answer: 'none' });
        throw new OriginFailure(error);
      }
    },
    close: () => agent.destroy(),
  };
}

function headerList(headers: RawHeaders): Headers {
  return Object.entries(headers).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return (Array.isArray(value) ? value : [value]).map((one) => [name.toLowerCase(), one] as const);
  });
}
