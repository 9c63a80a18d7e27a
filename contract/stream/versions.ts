/** What is left out for a peer that speaks the contract before this one. Pure. */
import type { EdgeDomain, EdgePlan } from '../plans/edge-plan.ts';
import { type PublishedPlan, type PublishedRoutingPlan, planDigest } from '../plans/published-plan.ts';
import type { RoutingNode, RoutingPlan } from '../plans/routing-plan.ts';
import type { ContractVersion, Report } from './messages.ts';

/**
 * The plan as the agent's version has it: edges that know nothing of certificates serve what they served before, those
 * that know no slices store whole objects, and dns-servers that cannot ask by HTTPS see whether the port is open.
 */
export function planFor(contract: ContractVersion, published: PublishedPlan): PublishedPlan {
  if (contract >= 2) return published;
  if (!isEdgePlan(published.plan)) return routingFor(published as PublishedRoutingPlan);
  const { domains, challenges } = published.plan;
  if (!challenges && domains.every(isOfContract1)) return published;
  const plan: EdgePlan = { domains: domains.map(ofContract1) };
  return { revision: published.revision, run: published.run, plan, digest: planDigest(plan) };
}

function routingFor(published: PublishedRoutingPlan): PublishedRoutingPlan {
  const { plan } = published;
  if (plan.nodes.every(({ healthCheck }) => healthCheck.protocol !== 'HTTPS')) return published;
  const older: RoutingPlan = { ...plan, nodes: plan.nodes.map(withoutHttps) };
  return { ...published, plan: older, digest: planDigest(older) };
}

function withoutHttps(node: RoutingNode): RoutingNode {
  if (node.healthCheck.protocol !== 'HTTPS') return node;
  const { tls: _, ...rest } = node.healthCheck;
  return { ...node, healthCheck: { ...rest, protocol: 'TCP' } };
}

const isOfContract1 = ({ tls, rules }: EdgeDomain) => !tls && rules.every(({ slices }) => !slices);

function ofContract1(domain: EdgeDomain): EdgeDomain {
  const { tls: _, rules, ...rest } = domain;
  return { ...rest, rules: rules.map(({ slices: __, ...rule }) => rule) };
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
