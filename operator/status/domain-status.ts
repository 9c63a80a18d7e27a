/** CdnDomain: Accepted, Programmed, CertificateReady, Ready, and the CNAME once every connected dns-server answers for it. Pure. */
import type { CdnDomainStatus } from '../../contract/kinds/cdn-domain.ts';
import type { Judgement } from '../certificates/holdings.ts';
import { fails, holds, ready, type Verdict } from './verdict.ts';

interface DomainInput {
  acceptance: Verdict;
  generation: number;
  /** What the fleet makes of its newest form, and of its row; nothing before the first plan that has it. */
  fleet: { programmed: Verdict; routed: Verdict } | undefined;
  /** The name that it has in the routing plan. */
  cname: string | undefined;
  /** How it fares with its certificate. */
  certificate: Judgement;
  before: CdnDomainStatus | undefined;
}

export function domainVerdicts(input: DomainInput): { verdicts: Verdict[]; cname: string | undefined } {
  const { acceptance, before, fleet } = input;
  const programmed = programmedVerdict(input);
  const cname = cnameOf(input);
  const routed =
    cname === undefined
      ? fails('Routed', 'DnsNotReady', fleet?.routed.message || 'no plan has it yet')
      : holds('Routed', 'Routed', '');
  const certificate: Verdict = { type: 'CertificateReady', ...input.certificate };
  const inAnswers = ready(
    [acceptance, programmed, routed, certificate],
    `serving as ${cname ?? before?.cname ?? ''}`,
  );
  return { verdicts: [acceptance, programmed, certificate, inAnswers], cname };
}

/**
 * Every connected node acked it, at least one. For that generation this stands then: silence does not withdraw it, and
 * a node that comes back with an older plan says so in its own status, not in that of ten thousand domains.
 */
function programmedVerdict({ fleet, generation, before }: DomainInput): Verdict {
  if (!fleet) return fails('Programmed', 'NotPublished', 'no plan has it yet');
  const earlier = before?.conditions?.find(({ type }) => type === 'Programmed');
  const stands = earlier?.status === 'True' && earlier.observedGeneration === generation;
  return stands ? holds('Programmed', earlier.reason, earlier.message) : fleet.programmed;
}

/** Appears when all connected dns-servers have the row, and stays. */
function cnameOf({ fleet, cname, before }: DomainInput): string | undefined {
  if (cname === undefined || !fleet) return undefined;
  return before?.cname === cname || fleet.routed.status === 'True' ? cname : undefined;
}
