/** What is left out for a peer that speaks the contract before this one. Pure. */
import type { ContractVersion, Report } from './messages.ts';

/** The report as the operator's version has it; nothing when it has no such report. */
export function reportFor(contract: ContractVersion, report: Report): Report | undefined {
  if (contract >= 2) return report;
  if (report.type === 'unmatched' || report.type === 'usage') return undefined;
  if (report.type !== 'nack') return report;
  const { resources: _, ...nack } = report;
  return nack;
}
