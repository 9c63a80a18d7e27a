/**
 * Where a plain request leads under a plan, as far as that does not change from one such request to the next: the
 * pipeline's steps up to the key.
 */
import type { CacheKey } from '../cache/key.ts';
import { cacheKey } from '../cache/key.ts';
import { type Exchange, openExchange } from '../exchange.ts';
import { HEALTH_PATH } from '../listen/health.ts';
import type { Asked } from '../listen/plain-request.ts';
import { ruleFor } from '../plan/rule.ts';
import type { ServedPlan } from '../plan/served-plan.ts';
import { BadRequest, readTarget } from '../request/target.ts';
import type { Step } from '../steps.ts';

export interface Place {
  exchange: Exchange;
  key: CacheKey;
}

/** For a request that has nothing but a host and a target; nothing where there is more to it. */
export function findPlace(
  plan: ServedPlan,
  { host, url }: Asked,
  { edgeId, steps, uid }: { edgeId: string; steps: readonly Step[]; uid: string | undefined },
): Place | undefined {
  if (url === HEALTH_PATH) return undefined;
  try {
    const target = readTarget(url, [host]);
    const domain = plan.byHost.get(target.host);
    // A step may look at anything: it is asked on the ordinary path.
    if (domain === undefined || steps.some((step) => step.concerns(domain))) return undefined;
    // For another domain than the connection's: there may be more to it, and the ordinary path knows.
    if (uid === undefined ? domain.tls?.redirect : domain.uid !== uid) return undefined;
    const rule = ruleFor(domain.rules, target.path);
    if (rule.rule.bypass) return undefined;
    const exchange = openExchange(edgeId, {
      request: plainClient(url, host, uid === undefined ? 'http' : 'https'),
      target,
      domain,
      rule,
    });
    return { exchange, key: cacheKey(domain.uid, target.path, target.query, rule.rule.query) };
  } catch (error) {
    if (error instanceof BadRequest) return undefined;
    throw error;
  }
}

function plainClient(url: string, host: string, scheme: 'http' | 'https'): Exchange['request'] {
  return {
    method: 'GET',
    url,
    headers: { host },
    rawHeaders: ['host', host],
    clientAddress: '',
    scheme,
    body: undefined,
    gone: () => NEVER,
  };
}

const NEVER = new AbortController().signal;
