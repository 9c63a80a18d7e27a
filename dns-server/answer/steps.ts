/**
 * The chain of a choice as it is counted: each step, and what it can come to. A chain is one number, so that counting
 * it costs an addition, be the answer made or prepared. Pure.
 *
 * A new step of a choice is a row here, with its result in `resultsOf`.
 */
import { NO_REGION } from '../../contract/plans/routing-plan.ts';
import { locationOf, regionOf } from '../geo/spot.ts';
import type { DomainAnswer } from './answer-domain.ts';

const STEPS = {
  policy: ['Geo', 'Weighted', 'Failover'],
  shift: ['None', 'Moved', 'Kept'],
  /** Which rule led to the nodes: a region that is not the client's own is a fallback. */
  candidates: ['None', 'Region', 'Fallback', 'Override', 'Order', 'Site', 'All'],
  isp: ['Same', 'Any'],
  health: ['Usable', 'AllDown', 'NotYetReady'],
  ttl: ['Full', 'Lowered', 'Negative'],
} as const;

type Step = keyof typeof STEPS;
const NAMES = Object.keys(STEPS) as Step[];

/** How many chains there can be. */
export const CHAINS = NAMES.reduce((product, step) => product * STEPS[step].length, 1);

/** The results of an answer's steps as one number: the digits of a number to mixed bases. */
export function chainOf(answer: DomainAnswer): number {
  const results = resultsOf(answer);
  return NAMES.reduce(
    (chain, step) => chain * STEPS[step].length + (STEPS[step] as readonly string[]).indexOf(results[step]),
    0,
  );
}

/** A chain's steps, each as `step result`. */
export function stepsOf(chain: number): string[] {
  let rest = chain;
  return NAMES.toReversed()
    .map((step) => {
      const results = STEPS[step];
      const result = results[rest % results.length];
      rest = Math.floor(rest / results.length);
      return `${step} ${result}`;
    })
    .reverse();
}

function resultsOf(answer: DomainAnswer): { [step in Step]: (typeof STEPS)[step][number] } {
  const { domain, side, selection, addresses, ttl } = answer;
  return {
    policy: domain.spec.policy,
    shift: side,
    candidates: candidatesOf(answer),
    isp: selection.tier?.sameIsp ? 'Same' : 'Any',
    health: selection.outcome,
    ttl: addresses.length === 0 ? 'Negative' : ttl < domain.spec.ttl ? 'Lowered' : 'Full',
  };
}

function candidatesOf({ selection: { tier }, placement }: DomainAnswer) {
  if (tier === undefined) return 'None';
  return tier.by === 'Region' && tier.name !== placement.region ? 'Fallback' : tier.by;
}

/** Where a client was placed, as it is counted: its region; where there are none, whether its spot is known. */
export function placeOf(region: string): string {
  if (regionOf(region) !== NO_REGION) return region;
  return locationOf(region) ? 'BySpot' : 'Unplaced';
}
