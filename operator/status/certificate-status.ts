/** Certificate: Accepted, Issued, Ready, and what is known of the one in force. Pure. */
import type { CertificateStatus } from '../../contract/kinds/certificate.ts';
import { dateOf, type Holding, judgeDate } from '../certificates/holdings.ts';
import { fails, ready, type Verdict } from './verdict.ts';

export function certificateVerdicts(
  acceptance: Verdict,
  holding: Holding | undefined,
  now: number,
): Verdict[] {
  const issued: Verdict = { type: 'Issued', ...(holding?.offered ?? NOT_SEEN) };
  const dated = holding?.inForce ? judgeDate(holding.inForce, holding.offered, now) : issued;
  const { copyFault } = holding?.ordered ?? {};
  // Edges serve with it all the same: it is what others wait for that is not there.
  const copied = copyFault ? [fails('Copied', copyFault.reason, copyFault.message)] : [];
  return [acceptance, issued, ready([acceptance, { ...dated, type: 'Issued' }, ...copied], dated.message)];
}

const NOT_SEEN = { status: 'Unknown', reason: 'InProgress', message: 'not looked at yet' } as const;

export function certificateFacts(
  holding: Holding | undefined,
): Omit<CertificateStatus, 'observedGeneration' | 'conditions'> {
  const { renewalTime, acmeTarget } = holding?.ordered ?? {};
  const ordered = {
    ...(renewalTime !== undefined && { renewalTime: dateOf(renewalTime) }),
    ...(acmeTarget !== undefined && { acmeTarget }),
  };
  if (!holding?.inForce) return ordered;
  const { digest, serialNumber, notAfter } = holding.inForce;
  return { digest, serialNumber, notAfter: dateOf(notAfter), ...ordered };
}
