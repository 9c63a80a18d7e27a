/**
 * What this edge would do with a request for a URL, and why: by the steps of the pipeline, without taking any. For the
 * admin port, and `weir explain-url`.
 */
import type { Clock } from '../lib/clock.ts';
import type { Teller } from './answer/client-headers.ts';
import { ageMs, freshLeftMs } from './cache/freshness.ts';
import { cacheKey, sliceKey } from './cache/key.ts';
import { selectVariant, whyForward } from './cache/select.ts';
import { mayUseOnError, mayUseWhileRevalidating } from './cache/stale.ts';
import type { Store } from './cache/store.ts';
import type { StoredObject } from './cache/stored-object.ts';
import { type ClientRequest, type Exchange, openExchange } from './exchange.ts';
import { fromRaw, type Headers } from './headers.ts';
import type { Plans } from './plan/plans.ts';
import { ruleFor } from './plan/rule.ts';
import { BadRequest, readTarget } from './request/target.ts';

export const EXPLAIN_PATH = '/explain';

export interface UrlExplanation {
  node: string;
  url: string;
  /** What a GET would meet: words of Cache-Status (RFC 9211), or why it never comes to the cache. */
  verdict: string;
  domain?: string;
  /** 0: no rule matches, the origin's headers rule. */
  rule?: { number: number; bypass: boolean; says: object };
  key?: { path: string; query: string; mode: string };
  /** Below the key, newest first. */
  variants?: {
    chosen: boolean;
    status: number;
    size: number;
    ageSeconds: number;
    /** Below 0 it is stale. */
    freshSeconds: number;
    selection: readonly (readonly [string, string])[];
    tags: readonly string[];
    mustRevalidate: boolean;
    headers: Headers;
  }[];
}

export interface ExplainParts {
  teller: Teller;
  plans: Plans;
  store: Store;
  clock: Clock;
}

/** `headers` are the request's, `[name, value, name, value …]`. */
export function explainUrl(parts: ExplainParts, url: string, headers: readonly string[]): UrlExplanation {
  const about = { node: parts.teller.node, url };
  try {
    return { ...about, ...explain(parts, url, headers) };
  } catch (error) {
    if (error instanceof BadRequest) return { ...about, verdict: `400: ${error.message}` };
    throw error;
  }
}

function explain(
  parts: ExplainParts,
  url: string,
  headers: readonly string[],
): Omit<UrlExplanation, 'node' | 'url'> {
  const { teller, plans, store, clock } = parts;
  const target = readTarget(url, []);
  const plan = plans.current();
  if (plan === undefined) return { verdict: '503: this edge has no plan yet' };
  const domain = plan.byHost.get(target.host);
  if (domain === undefined) return { verdict: `404: ${target.host} is no domain of the plan` };
  const rule = ruleFor(domain.rules, target.path);
  const { bypass, match: _match, ...says } = rule.rule;
  const found = { domain: domain.label, rule: { number: rule.number, bypass, says } };
  if (bypass) return { ...found, verdict: `fwd=bypass: rule ${rule.number} says so` };
  const exchange = openExchange(teller.edgeId, { request: requestFor(url, headers), target, domain, rule });
  const key = cacheKey(domain.uid, target.path, target.query, rule.rule.query);
  const whole = store.lookup(key);
  // What is stored in slices is known by its first one.
  const variants = rule.rule.slices && whole.length === 0 ? store.lookup(sliceKey(key, 0)) : whole;
  const chosen = selectVariant(variants, exchange);
  const now = clock.now();
  const fwd = whyForward(exchange, variants, chosen, (object) => store.purges.mustRevalidate(object), now);
  return {
    ...found,
    key: { path: key.path, query: key.query, mode: key.mode },
    verdict: fwd === undefined ? 'hit' : `fwd=${fwd}: ${REASONS[fwd]}${staleUse(parts, exchange, chosen)}`,
    variants: variants.map((object) => ({
      chosen: object === chosen,
      status: object.status,
      size: object.total ?? object.size,
      ageSeconds: Math.floor(ageMs(object, now) / 1_000),
      freshSeconds: Math.floor(freshLeftMs(object, rule.rule.ttl, now) / 1_000),
      selection: object.selection,
      tags: object.tags,
      mustRevalidate: store.purges.mustRevalidate(object),
      headers: object.headers,
    })),
  };
}

const REASONS: Readonly<Record<NonNullable<ReturnType<typeof whyForward>>, string>> = {
  'uri-miss': 'nothing is stored under this key',
  'vary-miss': 'no stored variant is for a request with these fields',
  stale: 'the stored answer has to be confirmed by the origin',
  request: 'the request wants something fresher than what is stored',
};

function staleUse(
  { store, clock }: ExplainParts,
  { terms, rule }: Exchange,
  chosen: StoredObject | undefined,
): string {
  if (chosen === undefined || store.purges.mustRevalidate(chosen)) return '';
  const may = (use: typeof mayUseOnError) => use(terms, chosen, rule.rule, clock.now());
  if (may(mayUseWhileRevalidating)) return '; used meanwhile (stale-while-revalidate)';
  return may(mayUseOnError) ? '; used if the origin fails (stale-if-error)' : '';
}

function requestFor(url: string, rawHeaders: readonly string[]): ClientRequest {
  return {
    method: 'GET',
    scheme: /^https:/i.test(url) ? 'https' : 'http',
    url,
    headers: Object.fromEntries(fromRaw(rawHeaders)),
    rawHeaders,
    clientAddress: '127.0.0.1',
    body: undefined,
    gone: () => new AbortController().signal,
  };
}
