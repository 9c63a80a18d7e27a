/** CdnDomain -> what an edge needs to serve it. Pure. */
import type { CacheRule } from '../../contract/kinds/cdn-domain.ts';
import type { CdnDomain } from '../../contract/kinds/kinds.ts';
import type { EdgeDomain, EdgeRule } from '../../contract/plans/edge-plan.ts';
import { durationSeconds } from '../../lib/duration.ts';
import { memo } from '../../lib/memo.ts';
import { hostnamesOf } from '../admit/hostnames.ts';

/** Statuses that a rule's ttl applies to when it names none: those that RFC 9110 15.1 calls heuristically cacheable. */
const DEFAULT_STATUSES = [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501];

/** A resolver may use an answer for its TTL, and some hold it for twice that; ten minutes covers those that do worse. */
const MIN_LINGER_SECONDS = 600;

/** A domain that did not change gives the very same row, so that its digest is known and nothing is sent for it. */
export const compileEdgeDomain = memo(edgeDomain);

function edgeDomain(domain: CdnDomain): EdgeDomain {
  const { metadata, spec } = domain;
  const [origin] = spec.origins;
  if (!origin) throw new Error(`${metadata.namespace}/${metadata.name} was accepted without an origin`);
  const { name, url, hostHeader } = origin;
  return {
    uid: metadata.uid,
    namespace: metadata.namespace,
    name: metadata.name,
    hostnames: hostnamesOf(domain),
    origin: { name, url, ...(hostHeader !== undefined && { hostHeader }) },
    rules: (spec.cache?.rules ?? []).map(compileRule),
    linger: Math.max(MIN_LINGER_SECONDS, 2 * durationSeconds(spec.routing.ttl)),
  };
}

function compileRule({
  match = {},
  bypass = false,
  ttl,
  statuses,
  force = false,
  slices = false,
  query,
  ...times
}: CacheRule): EdgeRule {
  const { pathPrefix, glob, extensions } = match;
  return {
    match: {
      ...(pathPrefix !== undefined && { pathPrefix }),
      ...(glob !== undefined && { glob }),
      ...(extensions && { extensions: [...extensions].sort() }),
    },
    bypass,
    ...(ttl !== undefined && {
      ttl: {
        seconds: durationSeconds(ttl),
        statuses: [...(statuses ?? DEFAULT_STATUSES)].sort((a, b) => a - b),
        force,
      },
    }),
    ...secondsOf(times),
    ...(slices && { slices }),
    query: { mode: query?.mode ?? 'Keep', names: [...(query?.names ?? [])].sort() },
  };
}

type Times = 'heuristicTtl' | 'staleWhileRevalidate' | 'staleIfError' | 'browserTtl';

function secondsOf(times: Pick<CacheRule, Times>): Pick<EdgeRule, Times> {
  const { heuristicTtl, staleWhileRevalidate, staleIfError, browserTtl } = times;
  return {
    ...(heuristicTtl !== undefined && { heuristicTtl: durationSeconds(heuristicTtl) }),
    ...(staleWhileRevalidate !== undefined && {
      staleWhileRevalidate: durationSeconds(staleWhileRevalidate),
    }),
    ...(staleIfError !== undefined && { staleIfError: durationSeconds(staleIfError) }),
    ...(browserTtl !== undefined && { browserTtl: durationSeconds(browserTtl) }),
  };
}
