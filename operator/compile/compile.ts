/**
 * Compile: a snapshot, the certificates in force and the settings to the two plans. Pure: no clock, socket, file or environment, and no report
 * enters, so plans change when people change things and not otherwise. Same input, same bytes, same digest.
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { EdgePlan } from '../../contract/plans/edge-plan.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
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
  return {
    routing: compileRouting(snapshot, config, challenges.txt),
    edge: {
      domains: snapshot.domains.map((domain) => withTls(compileEdgeDomain(domain), domain, holdings)),
      ...(challenges.http.length > 0 && { challenges: [...challenges.http] }),
    },
  };
}
