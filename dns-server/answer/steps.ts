/** The chain of a choice as it is counted: what each step came to, as `step result`. Pure. */
import type { DomainAnswer } from './answer-domain.ts';

export function stepsOf(answer: DomainAnswer): string[] {
  const { domain, side, selection, addresses, ttl } = answer;
  return [
    `policy ${domain.spec.policy}`,
    `shift ${side}`,
    `candidates ${candidatesOf(answer)}`,
    `isp ${selection.tier?.sameIsp ? 'Same' : 'Any'}`,
    `health ${selection.outcome}`,
    `ttl ${addresses.length === 0 ? 'Negative' : ttl < domain.spec.ttl ? 'Lowered' : 'Full'}`,
  ];
}

/** Which rule led to the nodes: a region that is not the client's own is a fallback. */
function candidatesOf({ selection: { tier }, placement }: DomainAnswer): string {
  if (tier === undefined) return 'None';
  return tier.by === 'Region' && tier.name !== placement.region ? 'Fallback' : tier.by;
}
