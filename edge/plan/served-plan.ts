/** A published plan made ready: hosts to domains, rules compiled. Built aside, then swapped in by one assignment. */
import type { EdgeDomain, EdgePlan, EdgeTls } from '../../contract/plans/edge-plan.ts';
import { InvalidPlan } from '../../contract/plans/invalid-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import { memo } from '../../lib/memo.ts';
import { challengesByToken } from '../answer/acme-challenge.ts';
import { normalPath } from '../request/target.ts';
import { type CompiledRule, compileRules } from './rule.ts';

export interface ServedDomain {
  uid: string;
  /** `namespace/name`, for people and for metrics. */
  label: string;
  hostnames: ReadonlySet<string>;
  origin: {
    name: string;
    /** Scheme, host and port. */
    base: string;
    /** Put before the client's path; without a slash at its end. */
    pathPrefix: string;
    hostHeader: string | undefined;
  };
  rules: readonly CompiledRule[];
  tls: EdgeTls | undefined;
}

/** The Host that its origin is asked with, for a client that asked for `host`. */
export function originHost({ origin }: Pick<ServedDomain, 'origin'>, host: string): string {
  return origin.hostHeader ?? host;
}

export interface ServedPlan {
  revision: Revision;
  byHost: ReadonlyMap<string, ServedDomain>;
  byUid: ReadonlyMap<string, ServedDomain>;
  /** By host and token. */
  challenges: ReadonlyMap<string, string>;
}

/** Hosts of the plan's own domains win over those of domains that linger. Throws what makes a plan invalid. */
export function servePlan(
  revision: Revision,
  domains: readonly EdgeDomain[],
  lingering: readonly EdgeDomain[],
  challenges: EdgePlan['challenges'] = [],
): ServedPlan {
  const byHost = new Map<string, ServedDomain>();
  const byUid = new Map<string, ServedDomain>();
  for (const domain of [...domains, ...lingering]) {
    const served = serveDomain(domain);
    if (!byUid.has(served.uid)) byUid.set(served.uid, served);
    for (const host of domain.hostnames) if (!byHost.has(host)) byHost.set(host, served);
  }
  return { revision, byHost, byUid, challenges: challengesByToken(challenges) };
}

/** A domain is prepared once, however many plans it is in. */
const serveDomain = memo<EdgeDomain, ServedDomain>(prepareDomain);

function prepareDomain(domain: EdgeDomain): ServedDomain {
  const { uid, namespace, name, hostnames, origin, rules, tls } = domain;
  const url = URL.parse(origin.url);
  if (!url) {
    const message = `domain ${namespace}/${name}: ${origin.url} is no URL`;
    throw new InvalidPlan(message, [{ kind: 'CdnDomain', namespace, name }]);
  }
  return {
    uid,
    label: `${namespace}/${name}`,
    hostnames: new Set(hostnames),
    origin: {
      name: origin.name,
      base: url.origin,
      pathPrefix: normalPath(url.pathname).replace(/\/$/, ''),
      hostHeader: origin.hostHeader,
    },
    rules: compileRules(rules),
    tls,
  };
}
