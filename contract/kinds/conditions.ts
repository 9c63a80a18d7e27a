/** `status.conditions` as the Kubernetes API conventions have them. */
import { z } from 'zod';

export const condition = z.strictObject({
  type: z.string().max(63).describe('What the condition is about.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  reason: z.string().min(1).max(255).describe('Why, as one CamelCase word that scripts can rely on.'),
  message: z.string().max(4_096).describe('Why, for people.'),
  observedGeneration: z
    .int()
    .min(-1)
    .max(2 ** 52)
    .optional()
    .describe('The generation of the spec that this speaks of.'),
  lastTransitionTime: z.string().max(40).describe('When `status` last changed (RFC 3339).'),
});

export type Condition = z.infer<typeof condition>;

export const conditions = z
  .array(condition)
  .max(16)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
  .describe('The state of the resource, one row for each thing that can be true of it.');

/** What it means that a condition is True; the reference pages say so. */
export const CONDITION_MEANINGS: Record<string, string> = {
  Accepted:
    'The manifest is valid and in conflict with no other; else its last accepted form stays in force.',
  Programmed: 'Every connected node that should have it said that it serves it, and there is at least one.',
  CertificateReady:
    'The certificate that `tls` names is in force and covers all hostnames; also where there is no `tls`.',
  Issued: 'The certificate in force is the one that is given, or was ordered for this spec.',
  Connected: 'The edge holds its stream to the operator.',
  Healthy: 'The dns-servers’ probes of its addresses succeed.',
  UpToDate: 'It serves the newest edge plan; one that is out for less than five seconds does not count yet.',
  Admitted: 'It may be in answers: nobody drained it, and it acked the purges that it had missed.',
  Complete: 'Every targeted node forgot the content, and said so.',
  Failed: 'The deadline passed first; `status.awaited` names the nodes whose ack is missing.',
  Ready: 'The sum of the others: it does what it is for.',
  Stalled: 'Waiting does not help, somebody has to mend it. Tools that wait give up on it: Flux, Helm.',
};

/**
 * Joins a new verdict onto the rows there were: the time of the last transition moves only when the status does.
 * `now` is RFC 3339.
 */
export function setCondition(
  rows: readonly Condition[],
  verdict: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): Condition[] {
  const before = rows.find((row) => row.type === verdict.type);
  const since = before?.status === verdict.status ? before.lastTransitionTime : now;
  const row = { ...verdict, lastTransitionTime: since };
  return before ? rows.map((other) => (other === before ? row : other)) : [...rows, row];
}
