/** EdgeNode: Accepted, Connected, Healthy, UpToDate, Ready. Pure. */

import type { ForcedState } from '../../contract/plans/node-table.ts';
import { compareRevisions, formatRevision, type Revision } from '../../contract/plans/revision.ts';
import { memo } from '../../lib/memo.ts';
import type { DecideState, DnsServerState, NodeState } from '../decide/state.ts';
import { fails, holds, ready, unknown, type Verdict } from './verdict.ts';

/** What a spec may have; a dns-server may still tell of those that it had before. */
const MOST_ADDRESSES = 8;

/** The reason of an UpToDate that is on its way, and of what follows from that. */
export const BEHIND = 'Behind';

/** The views that a connected dns-server has of a node. */
type Views = DnsServerState['health'];

export interface NodeHealth {
  viewsOf(node: string): Views;
  /** The same as text: whether it is as before. */
  textOf(node: string): string;
}

/** What all connected dns-servers see, by node. The very same until one of them says something. */
export const healthOf = memo((dnsServers: DecideState['dnsServers']): NodeHealth => {
  const rows = [...dnsServers.values()].flatMap(({ connected, health }) => (connected ? health : []));
  const byNode = Map.groupBy(rows, ({ node }) => node);
  const viewsOf = (node: string) => byNode.get(node) ?? [];
  return { viewsOf, textOf: (node) => JSON.stringify(viewsOf(node)) };
});

interface NodeInput {
  node: NodeState | undefined;
  acceptance: Verdict;
  schedulable: boolean;
  /** The edge plan that it should have. */
  due: Revision | undefined;
  views: Views;
}

/** What a node's status is made of beside its spec and the views of it, and but for its revision. */
export function newsOfNode(node: NodeState | undefined, due: Revision | undefined): unknown[] {
  if (!node) return [];
  const { connected, presumed, known, nack, forced, revalidation, gates, load, acked } = node;
  const isBehind = acked && due && compareRevisions(acked, due) < 0;
  const marks = [connected || presumed, known, revalidation !== undefined, gates.size > 0];
  return [...marks, nack, forced, load.weight, isBehind];
}

/** Of one that we have no record of, what it holds is nothing to go by. */
export const revisionTold = (node: NodeState | undefined) => (node?.known ? node.acked : undefined);

export function nodeVerdicts({ node, acceptance, schedulable, due, views }: NodeInput): Verdict[] {
  const parts = [
    acceptance,
    connectedVerdict(node),
    node?.forced ? forcedVerdict(node.forced) : healthyVerdict(views),
    upToDateVerdict(node, due),
  ];
  const admitted = admittedVerdict(node, schedulable);
  return [...parts, admitted, ready([...parts, admitted], 'in the answers')];
}

function connectedVerdict(node: NodeState | undefined): Verdict {
  return node?.connected || node?.presumed
    ? holds('Connected', 'Connected', 'holds a stream to the operator')
    : fails('Connected', 'NotConnected', 'holds no stream to the operator; it may be serving all the same');
}

/** Addresses that more than half of those views have as down, with what one of them says. */
export function unhealthyAddresses(views: Views): { address: string; detail: string }[] {
  const down = views.flatMap(({ addresses }) => addresses.filter(({ healthy }) => !healthy));
  const rows = new Map(down.map(({ address, detail }) => [address, detail]));
  return [...rows]
    .filter(([wanted]) => down.filter(({ address }) => address === wanted).length * 2 > views.length)
    .map(([address, detail]) => ({ address, detail }))
    .sort((a, b) => (a.address < b.address ? -1 : 1))
    .slice(0, MOST_ADDRESSES);
}

/** The view of the connected dns-servers: the majority decides, where any has one. */
function healthyVerdict(views: Views): Verdict {
  if (views.length === 0) return unknown('Healthy', 'NotProbed', 'no connected dns-server probes it yet');
  const down = views.filter(({ addresses }) => addresses.every(({ healthy }) => !healthy));
  if (down.length * 2 <= views.length) return holds('Healthy', 'Healthy', 'answers its health checks');
  const detail = down.flatMap(({ addresses }) => addresses)[0]?.detail ?? '';
  return fails('Healthy', 'Unhealthy', `health checks fail: ${detail}`);
}

function forcedVerdict({ state, until }: ForcedState): Verdict {
  const end = until === undefined ? 'for good' : `until ${new Date(until).toISOString()}`;
  const message = `\`weir force\`, ${end}`;
  return state === 'Up' ? holds('Healthy', 'ForcedUp', message) : fails('Healthy', 'ForcedDown', message);
}

function upToDateVerdict(node: NodeState | undefined, due: Revision | undefined): Verdict {
  if (node?.nack) {
    const { fault, revision, message } = node.nack;
    return fails(
      'UpToDate',
      `Refused${fault}`,
      `refused plan ${formatRevision(revision)}: ${message}`.slice(0, 1_024),
    );
  }
  if (!due || !node?.acked) return fails('UpToDate', 'NoPlan', 'acked no plan yet');
  if (compareRevisions(node.acked, due) < 0)
    return fails('UpToDate', BEHIND, 'has not acked the newest plan yet');
  return holds('UpToDate', 'UpToDate', 'serves the newest plan');
}

function admittedVerdict(node: NodeState | undefined, schedulable: boolean): Verdict {
  if (!schedulable) return fails('Admitted', 'Cordoned', 'spec.schedulable is false');
  if (node && node.gates.size > 0)
    return fails('Admitted', 'CatchingUp', 'purges that it missed are not acked yet');
  return holds('Admitted', 'Admitted', 'may answer');
}
