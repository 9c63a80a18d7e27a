/**
 * The path of a request, top to bottom. Each step either ends it with an answer or finds out something for the next
 * ones. What depends on the domain and the client (access rules) is a `Step` (steps.ts says how to add one); several
 * origins, and parents before them, are for who asks the origin (answer/fetching.ts, answer/passing.ts) to choose.
 */
import type { Clock } from '../lib/clock.ts';
import { acmeAnswer } from './answer/acme-challenge.ts';
import { type Answer, textAnswer } from './answer/answer.ts';
import type { AskHead } from './answer/asking-head.ts';
import { type CacheNote, cacheStatus } from './answer/cache-status.ts';
import type { Teller } from './answer/client-headers.ts';
import type { Fetching, Wanted } from './answer/fetching.ts';
import type { Passing } from './answer/passing.ts';
import type { Serving } from './answer/serving.ts';
import type { Slicing } from './answer/slicing.ts';
import { cacheKey } from './cache/key.ts';
import { selectVariant, whyForward } from './cache/select.ts';
import { mayUseOnError, mayUseWhileRevalidating } from './cache/stale.ts';
import type { Store } from './cache/store.ts';
import { CorruptBody } from './cache/stored-object.ts';
import { type ClientRequest, type Exchange, openExchange } from './exchange.ts';
import { hostFields } from './listen/client-hosts.ts';
import { HEALTH_PATH, type Health } from './listen/health.ts';
import { OriginFailure } from './origin/failure.ts';
import { isLoop } from './origin/request-headers.ts';
import type { Plans } from './plan/plans.ts';
import { ruleFor } from './plan/rule.ts';
import type { ServedDomain } from './plan/served-plan.ts';
import { BadRequest, readTarget, requireHost, type Target } from './request/target.ts';
import { firstAnswer, type Step } from './steps.ts';
import { redirectToHttps, withTransportSecurity } from './tls/transport-security.ts';

export interface PipelineParts {
  teller: Teller;
  health: Pick<Health, 'answer'>;
  plans: Pick<Plans, 'current'>;
  store: Store;
  serving: Serving;
  passing: Passing;
  steps: readonly Step[];
  fetching: Fetching;
  slicing: Slicing;
  askHead: AskHead;
  clock: Clock;
  /** Where it listens for TLS, if it does. */
  httpsPort: () => number | undefined;
}

export type Pipeline = (request: ClientRequest) => Promise<Answer>;

export function createPipeline(parts: PipelineParts): Pipeline {
  const { teller, health, plans, steps, passing, httpsPort } = parts;

  return async function answer(request) {
    try {
      // Health checks, on any host.
      if (request.url === HEALTH_PATH) return health.answer();

      // Who is asked, before anything is answered in its name.
      const hosts = hostFields(request.rawHeaders);
      requireHost(hosts, request.httpVersion);

      // What this edge does not do.
      const refusal = refuseUnsupported(request);
      if (refusal !== undefined) return refusal;

      // Host, path and query in one normal form.
      const target = readTarget(request.url, hosts);

      // A request that has been here before.
      if (isLoop(stringField(request.headers['cdn-loop']), teller.edgeId)) {
        return textAnswer(
          508,
          `a loop: this request has passed ${teller.edgeId} already (CDN-Loop). Does the domain’s origin point back at the CDN?`,
        );
      }

      // The domain.
      const plan = plans.current();
      if (plan === undefined) return textAnswer(503, 'this edge has no plan yet; it waits for the operator');
      // An ACME server, whether the host is served yet or not.
      const acme = acmeAnswer(plan.challenges, target);
      if (acme !== undefined) return acme;
      const domain = plan.byHost.get(target.host);

      // A request that came on a connection for other hosts.
      if (request.secure?.mayServe(target.host, domain) === false) return misdirected(target.host);
      if (domain === undefined) return unknownHost(target.host, teller.node);

      const answer = await forDomain(request, target, domain);
      return withTransportSecurity(answer, { request, domain });
    } catch (error) {
      if (error instanceof BadRequest)
        return textAnswer(400, error.message, { headers: [['connection', 'close']] });
      throw error;
    }
  };

  async function forDomain(request: ClientRequest, target: Target, domain: ServedDomain): Promise<Answer> {
    // To https, where the domain wants that.
    const redirect = redirectToHttps(request, target, domain, httpsPort());
    if (redirect !== undefined) return redirect;

    // The cache rule.
    const rule = ruleFor(domain.rules, target.path);
    const exchange = openExchange(teller.edgeId, { request, target, domain, rule });

    // Who may have this, and on what terms.
    const ended = steps.length === 0 ? undefined : await firstAnswer(steps, exchange);
    if (ended !== undefined) return ended;

    // What the cache has no part in.
    const passed = whyPassed(exchange);
    if (passed !== undefined) {
      return await passing
        .pass(exchange, { hit: false, ...passed })
        .catch(originFailed(exchange, teller, passed.fwd));
    }

    // Key, lookup, freshness, then the origin: below.
    return await fromCache(parts, exchange);
  }
}

async function fromCache(parts: PipelineParts, exchange: Exchange, isRepeat = false): Promise<Answer> {
  const { teller, store, serving, askHead, fetching, slicing, clock } = parts;
  const { request, target, domain, rule } = exchange;

  // The key.
  const key = cacheKey(domain.uid, target.path, target.query, rule.rule.query);

  // Memory, then disk.
  const variants = store.lookup(key);
  const stored = selectVariant(variants, exchange);

  // Freshness.
  const fwd = whyForward(
    exchange,
    variants,
    stored,
    (object) => store.purges.mustRevalidate(object),
    clock.now(),
  );
  try {
    if (stored !== undefined && fwd === undefined) return await serving.stored(exchange, stored);

    // Slices of it, each from memory, disk or the origin.
    const sliced =
      stored === undefined &&
      (await slicing(exchange, key).catch(originFailed(exchange, teller, 'uri-miss')));
    if (sliced) return sliced;

    const forward = fwd ?? 'uri-miss';
    // What must be confirmed because a purge may have been missed is not used stale.
    const lent =
      forward === 'stale' && stored !== undefined && !store.purges.mustRevalidate(stored)
        ? stored
        : undefined;
    const may = (use: typeof mayUseOnError) =>
      lent !== undefined && use(exchange.terms, lent, rule.rule, clock.now());
    const usableOnError = may(mayUseOnError);
    const wanted: Wanted = { key, variants, stale: stored, usableOnError, fwd: forward };

    // Stale, and still to be used while one fetch asks the origin.
    if (stored !== undefined && may(mayUseWhileRevalidating)) {
      const answer = await serving.stored(exchange, stored);
      fetching.revalidate(exchange, wanted);
      return { ...answer, result: 'stale' };
    }
    if (exchange.terms.directives.has('only-if-cached')) return nothingStored(domain.label);

    // The origin: one fetch for all who wait; a HEAD is not worth a fetch of the whole.
    const asked =
      request.method === 'HEAD' ? askHead(exchange, wanted) : fetching.fetchOrJoin(exchange, wanted);
    return await asked
      .catch(staleInstead(serving, exchange, wanted))
      .catch(originFailed(exchange, teller, forward));
  } catch (error) {
    // A body that is damaged or was dropped meanwhile; its object is gone by now, so the origin has it.
    if (error instanceof CorruptBody && !isRepeat) return await fromCache(parts, exchange, true);
    throw error;
  }
}

/** Stale content in place of the origin's failure, where that is allowed. */
function staleInstead(
  serving: Serving,
  exchange: Exchange,
  { stale, usableOnError, fwd }: Wanted,
): (error: unknown) => Promise<Answer> {
  return async (error) => {
    if (!(error instanceof OriginFailure) || stale === undefined || !usableOnError) throw error;
    return await serving.stored(exchange, stale, { fwd, fwdStatus: error.answered, detail: error.code });
  };
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

function refuseUnsupported({ method, url, headers }: ClientRequest): Answer | undefined {
  // RFC 9110 9.3.7, 7.6.2: asked of the edge itself, whatever the host.
  if (method === 'OPTIONS' && (url === '*' || Number(headers['max-forwards']) === 0)) {
    return textAnswer(200, 'an edge of Weir', { headers: [['allow', METHODS]] });
  }
  if (method === 'TRACE' || method === 'CONNECT') {
    return textAnswer(405, `${method} is not served here`, { headers: [['allow', METHODS]] });
  }
  // Any other upgrade may be ignored (RFC 9110 7.8); a WebSocket client would wait for what never comes.
  if (/\bwebsocket\b/i.test(headers.upgrade ?? '')) {
    return textAnswer(501, 'WebSocket connections are not passed on by this edge', {
      headers: [['connection', 'close']],
    });
  }
  return undefined;
}

function whyPassed({ request, rule }: Exchange): { fwd: 'bypass' | 'method'; detail?: string } | undefined {
  if (request.method !== 'GET' && request.method !== 'HEAD') return { fwd: 'method' };
  if (rule.rule.bypass) return { fwd: 'bypass', detail: `rule-${rule.number}` };
  // The key does not hold a request's body.
  return request.body === undefined ? undefined : { fwd: 'bypass', detail: 'request-body' };
}

function unknownHost(host: string, node: string): Answer {
  const hint = `${host} is not a domain that this CDN serves (edge ${node}). If it should be: is there a CdnDomain with this hostname or alias, and is it Accepted (weir get cdn)?`;
  return textAnswer(404, hint);
}

/** RFC 9110 15.5.20: the client may try again, on a connection that it opens for this host. */
function misdirected(host: string): Answer {
  return textAnswer(421, `this connection was opened for other hosts than ${host}`);
}

/** RFC 9111 5.2.1.7. */
function nothingStored(domain: string): Answer {
  return textAnswer(504, 'only-if-cached was asked for, and nothing fresh is stored', { domain });
}

/** What a client hears when the origin fails on a request that went on for the reason `fwd`. */
function originFailed(
  { domain }: Exchange,
  { node }: Teller,
  fwd: Extract<CacheNote, { hit: false }>['fwd'],
): (error: unknown) => Answer {
  return (error) => {
    if (!(error instanceof OriginFailure)) throw error;
    const message = `origin "${domain.origin.name}" of domain ${domain.label}: ${error.message}`;
    return textAnswer(error.status, message, {
      domain: domain.label,
      result: 'error',
      headers: [['cache-status', cacheStatus(node, { hit: false, fwd, detail: error.code })]],
    });
  };
}

function stringField(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
