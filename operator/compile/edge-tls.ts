/** `tls` of a CdnDomain and the certificate in force for it -> how edges serve it over TLS. Pure. */
import type { CdnDomain } from '../../contract/kinds/kinds.ts';
import type { DomainTls } from '../../contract/kinds/tls.ts';
import type { EdgeDomain, EdgeTls } from '../../contract/plans/edge-plan.ts';
import { durationSeconds } from '../../lib/duration.ts';
import { type Holdings, type Served, servedWith } from '../certificates/holdings.ts';

/** The rows that were made last: the very same while the domain and its certificate stay. */
const lastRows = new WeakMap<EdgeDomain, EdgeDomain>();

/** A domain whose certificate is not there is served without TLS, and without a redirect into nowhere. */
export function withTls(row: EdgeDomain, domain: CdnDomain, holdings: Holdings): EdgeDomain {
  const { tls } = domain.spec;
  const served = tls ? servedWith(domain, holdings) : [];
  if (!tls || served.length === 0) return row;
  const before = lastRows.get(row);
  if (before && isSame(before.tls?.certificates ?? [], served)) return before;
  const certificates = served.map(({ secret, pair: { digest } }) => ({ secret, digest }));
  const made = { ...row, tls: edgeTls(tls, certificates) };
  lastRows.set(row, made);
  return made;
}

function isSame(before: EdgeTls['certificates'], served: readonly Served[]): boolean {
  if (before.length !== served.length) return false;
  return served.every(({ secret, pair: { digest } }, at) => {
    const known = before[at];
    return known?.secret === secret && known.digest === digest;
  });
}

function edgeTls({ redirect, minVersion, hsts }: DomainTls, certificates: EdgeTls['certificates']): EdgeTls {
  return {
    certificates,
    redirect,
    minVersion,
    ...(hsts && { hsts: hstsHeader(hsts) }),
  };
}

/** RFC 6797 6.1; `preload` is none of its directives, but what the browsers' lists ask for. */
function hstsHeader({ maxAge, includeSubDomains, preload }: NonNullable<DomainTls['hsts']>): string {
  return [
    `max-age=${durationSeconds(maxAge)}`,
    ...(includeSubDomains ? ['includeSubDomains'] : []),
    ...(preload ? ['preload'] : []),
  ].join('; ');
}
