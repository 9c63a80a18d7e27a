/**
 * Compile: a snapshot, the certificates in force and the settings to the two plans. Pure: no clock, socket, file or environment, and no report
 * enters, so plans change when people change things and not otherwise. Same input, same bytes, same digest.
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { EdgePlan } from '../../contract/plans/edge-plan.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import type { Snapshot } from '../admit/snapshot.ts';
import { type Holdings, NO_HOLDINGS } from '../certificates/holdings.ts';
import { compileEdgeDomain } from './edge-domain.ts';
import { withTls } from './edge-tls.ts';
import { compileRouting } from './routing.ts';

export interface Compiled {
  routing: RoutingPlan;
  edge: EdgePlan;
}

export function compile(snapshot: Snapshot, config: WeirConfig, holdings: Holdings = NO_HOLDINGS): Compiled {
  return {
    routing: compileRouting(snapshot, config),
    edge: {
      domains: snapshot.domains.map((domain) => withTls(compileEdgeDomain(domain), domain, holdings)),
    },
  };
}
