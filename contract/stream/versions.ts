/** What is left out for a peer that speaks the contract before this one. Pure. */
import type { EdgeDomain, EdgePlan } from '../plans/edge-plan.ts';
import { type PublishedPlan, planDigest } from '../plans/published-plan.ts';
import type { ContractVersion, Report } from './messages.ts';

/** The plan as the agent's version has it: edges that know nothing of certificates serve what they served before. */
export function planFor(contract: ContractVersion, published: PublishedPlan): PublishedPlan {
  if (contract >= 2 || !isEdgePlan(published.plan)) return published;
  if (published.plan.domains.every(({ tls }) => tls === undefined)) return published;
  const plan: EdgePlan = { domains: published.plan.domains.map(withoutTls) };
  return { revision: published.revision, run: published.run, plan, digest: planDigest(plan) };
}

function withoutTls(domain: EdgeDomain): EdgeDomain {
  const { tls: _, ...rest } = domain;
  return rest;
}

const isEdgePlan = (plan: PublishedPlan['plan']): plan is EdgePlan => !('zones' in plan);

/** The report as the operator's version has it; nothing when it has no such report. */
export function reportFor(contract: ContractVersion, report: Report): Report | undefined {
  if (contract >= 2) return report;
  if (report.type === 'unmatched' || report.type === 'usage') return undefined;
  if (report.type !== 'nack') return report;
  const { resources: _, ...nack } = report;
  return nack;
}
