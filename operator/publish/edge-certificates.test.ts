import { expect, test } from 'vitest';
import type { PublishedEdgePlan, PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import { secretDigest } from '../../contract/stream/agent-secret.ts';
import { EdgeCertificates } from './edge-certificates.ts';

const head = { revision: { epoch: 1, seq: 1 }, digest: '', run: 'run' };
const value = 'chain and key';
const secret = { name: 'certificate.a.json', digest: secretDigest(value), value };
/** What is looked at of plans: one domain with a certificate, for which zz-1 may be answered. */
const edge = {
  ...head,
  plan: {
    domains: [{ uid: 'video', linger: 600, tls: { certificates: [{ ...secret, secret: secret.name }] } }],
  },
} as unknown as PublishedEdgePlan;
const routing = {
  ...head,
  plan: {
    domains: [{ uid: 'video', set: 's', shifts: [] }],
    candidateSets: [{ id: 's', regions: [{ tiers: [{ nodes: ['zz-1'] }] }] }],
  },
} as unknown as PublishedRoutingPlan;
const names = (certificates: EdgeCertificates, node: string) => [
  ...(certificates.setFor(node)?.secrets.keys() ?? ['not known']),
];

const steps = {
  edge: (certificates: EdgeCertificates) => certificates.plan(edge),
  routing: (certificates: EdgeCertificates) => certificates.routing(routing),
  values: (certificates: EdgeCertificates) => certificates.values(new Map([[secret.name, secret]])),
};

test.each([
  [['edge', 'routing', 'values']],
  [['values', 'edge', 'routing']],
  [['routing', 'values', 'edge']],
] as const)('%j: an edge that holds certificates is told nothing of them before all is read', (order) => {
  const certificates = new EdgeCertificates();
  for (const step of order) {
    expect(certificates.setFor('zz-1')).toBeUndefined();
    steps[step](certificates);
  }
  expect(names(certificates, 'zz-1')).toEqual([secret.name]);
  expect(names(certificates, 'la-1')).toEqual([]);
});
