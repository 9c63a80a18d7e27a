/** What the statuses of all domains ask of the agents, answered once for all of them. Pure. */
import {
  compareRevisions,
  formatRevision,
  NO_REVISION,
  type Revision,
} from '../../contract/plans/revision.ts';
import type { Role } from '../../contract/stream/messages.ts';
import type { DecideState, DnsServerState, NodeState } from '../decide/state.ts';
import { fails, holds, type Verdict } from './verdict.ts';

export interface Fleet {
  /** Whether every connected node, and at least one, acked the plan of that revision. */
  programmed(changed: Revision): Verdict;
  /** Every connected dns-server, and at least one, acked it; otherwise why not. */
  routed(revision: Revision): Verdict;
}

export function fleetOf(state: DecideState): Fleet {
  const nodes = [...state.nodes].filter(([, { connected }]) => connected);
  const servers = [...state.dnsServers.values()].filter(({ connected }) => connected);
  const [nodesHave, serversHave] = [lowest(nodes.map(([, node]) => node)), lowest(servers)];
  const programmed = perRevision((changed) => programmedBy(nodes, nodesHave, changed));
  return {
    programmed,
    routed: (revision) =>
      servers.length > 0 && compareRevisions(serversHave, revision) >= 0 ? ROUTED : notRouted(servers),
  };
}

/** Whether all connected agents of that role, and at least one, have it. */
export function isWith(fleet: Fleet, role: Role, revision: Revision): boolean {
  const { status } = role === 'edge' ? fleet.programmed(revision) : fleet.routed(revision);
  return status === 'True';
}

type NamedNode = readonly [name: string, node: NodeState];

type Agent = Pick<DnsServerState, 'nack'> & {
  acked: Revision | undefined;
};

const ROUTED = holds('Routed', 'Routed', '');
const PROGRAMMED = holds('Programmed', 'Programmed', 'acked by every connected node');

/** What all of them have. */
function lowest(agents: readonly Agent[]): Revision {
  return agents
    .map(({ acked }) => acked ?? NO_REVISION)
    .reduce(
      (low, acked) => (compareRevisions(acked, low) < 0 ? acked : low),
      agents[0]?.acked ?? NO_REVISION,
    );
}

function programmedBy(nodes: readonly NamedNode[], all: Revision, changed: Revision): Verdict {
  if (nodes.length === 0) return fails('Programmed', 'NoNodeConnected', 'no node is connected');
  // Ten thousand domains changed at as many revisions; nearly all of them every node has.
  if (compareRevisions(all, changed) >= 0) return PROGRAMMED;
  const behind = nodes.filter(([, { acked }]) => !acked || compareRevisions(acked, changed) < 0);
  const refusing = behind.find(([, { nack }]) => nack?.fault === 'Invalid');
  if (refusing) {
    const [name, { nack }] = refusing;
    const message = `${name} refuses the plan: ${nack?.message ?? ''}`;
    return fails('Programmed', 'Refused', message.slice(0, 1_024));
  }
  const names = behind.map(([name]) => name).sort();
  return fails('Programmed', 'WaitingForNodes', `not acked yet by ${list(names)}`);
}

function notRouted(servers: readonly Agent[]): Verdict {
  const refusing = servers.find(({ nack }) => nack?.fault === 'Invalid');
  const message = refusing
    ? `a dns-server refuses the plan: ${refusing.nack?.message ?? ''}`.slice(0, 1_024)
    : servers.length === 0
      ? 'no dns-server is connected'
      : 'not every connected dns-server has it yet';
  return fails('Routed', 'DnsNotReady', message);
}

function perRevision(verdict: (revision: Revision) => Verdict): (revision: Revision) => Verdict {
  const known = new Map<string, Verdict>();
  return (revision) => {
    const key = formatRevision(revision);
    const found = known.get(key) ?? verdict(revision);
    known.set(key, found);
    return found;
  };
}

const SHOWN = 10;

/** Names for a message, cut so that it does not grow with the fleet. */
function list(names: readonly string[]): string {
  const rest = names.length - SHOWN;
  return rest > 0 ? `${names.slice(0, SHOWN).join(', ')} and ${rest} more` : names.join(', ');
}
