/**
 * The gates between a candidate node and an answer, in order; the first that is closed gives the reason. Hard gates
 * hold always: a node behind one cannot serve the domain. Soft ones apply only while a node passes all of them.
 */
import { compareRevisions, formatRevision } from '../../contract/plans/revision.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain } from '../plan/prepared-plan.ts';
import type { NodeStanding } from './standing.ts';

export type Reason = 'Cordoned' | 'NotYetReady' | 'NotAdmitted' | 'ForcedDown' | 'Unhealthy';

export interface ClosedGate {
  reason: Reason;
  message: string;
}

type Gate = (standing: NodeStanding, domain: PreparedDomain, family: Family) => ClosedGate | undefined;

export const HARD_GATES: readonly Gate[] = [cordoned, notYetReady];
export const SOFT_GATES: readonly Gate[] = [notAdmitted, forcedDown, unhealthy];

export function firstClosed(
  gates: readonly Gate[],
  standing: NodeStanding,
  domain: PreparedDomain,
  family: Family,
): ClosedGate | undefined {
  for (const gate of gates) {
    const closed = gate(standing, domain, family);
    if (closed) return closed;
  }
  return undefined;
}

function cordoned({ node }: NodeStanding): ClosedGate | undefined {
  return node.spec.schedulable ? undefined : { reason: 'Cordoned', message: 'schedulable is false' };
}

/** Make before break: a node answers for a domain once it serves a plan that has it. */
function notYetReady({ row }: NodeStanding, { since }: PreparedDomain): ClosedGate | undefined {
  const closed = (message: string): ClosedGate => ({ reason: 'NotYetReady', message });
  if (since === undefined) return closed('no edge plan has the domain yet');
  if (row === undefined) return closed('the node acked no plan yet');
  if (compareRevisions(row.acked, since) >= 0) return undefined;
  return closed(`acked ${formatRevision(row.acked)} < since ${formatRevision(since)}`);
}

function notAdmitted({ row }: NodeStanding): ClosedGate | undefined {
  return row === undefined || row.admitted ? undefined : { reason: 'NotAdmitted', message: row.reason };
}

function forcedDown({ forced, row }: NodeStanding): ClosedGate | undefined {
  if (forced !== 'Down') return undefined;
  const until = row?.forced?.until;
  const end = until === undefined ? 'until `weir force` ends it' : `until ${new Date(until).toISOString()}`;
  return { reason: 'ForcedDown', message: `down by \`weir force\`, ${end}` };
}

/**
 * Health is per address: a node is down for a family when all its addresses of that family are. One without any
 * stays while another of its addresses is up, so that A and AAAA name the same nodes.
 */
function unhealthy(
  { addresses, forced }: NodeStanding,
  _: PreparedDomain,
  family: Family,
): ClosedGate | undefined {
  if (forced === 'Up') return undefined;
  const ofFamily = addresses.filter((address) => address.family === family);
  const judged = ofFamily.length > 0 ? ofFamily : addresses;
  if (judged.some(({ healthy }) => healthy)) return undefined;
  const message = judged.map(({ text, detail }) => `${text}: ${detail}`).join(', ');
  return { reason: 'Unhealthy', message };
}
