/**
 * Compile: a snapshot, the certificates in force and the settings to the two plans. Pure: no clock, socket, file or
 * environment, and no report enters, so plans change when people change things and not otherwise. Same input, same
 * bytes, same digest; and where nothing changed the very same plans, so that nobody hashes ten thousand rows again.
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { CdnDomain } from '../../contract/kinds/kinds.ts';
import type { EdgePlan } from '../../contract/plans/edge-plan.ts';
import { partDigest } from '../../contract/plans/published-plan.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { changedPlaces } from '../../lib/changed-places.ts';
import { memo } from '../../lib/memo.ts';
import type { Snapshot } from '../admit/snapshot.ts';
import { type Challenges, type Holdings, NO_CHALLENGES, NO_HOLDINGS } from '../certificates/holdings.ts';
import { compileEdgeDomain } from './edge-domain.ts';
import { withTls } from './edge-tls.ts';
import { compileRouting } from './routing.ts';

export interface Compiled {
  routing: RoutingPlan;
  edge: EdgePlan;
}

export interface CertificatesInForce {
  holdings: Holdings;
  challenges: Challenges;
}

const NO_CERTIFICATES: CertificatesInForce = { holdings: NO_HOLDINGS, challenges: NO_CHALLENGES };

export function compile(
  snapshot: Snapshot,
  config: WeirConfig,
  { holdings, challenges }: CertificatesInForce = NO_CERTIFICATES,
): Compiled {
  const domains = edgeRows(snapshot.domains, holdings);
  const http = challenges.http.length > 0 && { challenges: [...challenges.http] };
  last = {
    routing: unlessSame(last?.routing, compileRouting(snapshot, config, challenges.txt)),
    edge: unlessSame(last?.edge, { domains, ...http }),
  };
  return last;
}

let last: Compiled | undefined;
let lastRows: { domains: readonly CdnDomain[]; rows: EdgePlan['domains'] } = { domains: [], rows: [] };

/** Of domains that are those before but for some, these are compiled, and those whose certificate may be another. */
function edgeRows(domains: readonly CdnDomain[], holdings: Holdings): EdgePlan['domains'] {
  const row = (domain: CdnDomain) => withTls(compileEdgeDomain(domain), domain, holdings);
  const places = changedPlaces(lastRows.domains, domains);
  const rows = places ? [...lastRows.rows] : domains.map(row);
  for (const place of places ?? []) {
    const domain = domains[place];
    if (domain) rows[place] = row(domain);
  }
  if (places) for (const [place, domain] of secured(domains)) rows[place] = row(domain);
  lastRows = { domains, rows };
  return rows;
}

/** With their places. */
const secured = memo((domains: readonly CdnDomain[]) =>
  [...domains.entries()].filter(([, { spec }]) => spec.tls !== undefined),
);

function unlessSame<P extends object>(before: P | undefined, plan: P): P {
  const sections: [string, unknown][] = Object.entries(plan);
  const isSame =
    before &&
    sections.length === Object.keys(before).length &&
    sections.every(([name, value]) => isSamePart(Reflect.get(before, name), value));
  return isSame ? before : plan;
}

function isSamePart(before: unknown, now: unknown): boolean {
  if (before === now) return true;
  if (!Array.isArray(before) || !Array.isArray(now)) return partDigest(before) === partDigest(now);
  return before.length === now.length && now.every((row, at) => isSamePart(before[at], row));
}
