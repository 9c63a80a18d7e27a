/** CdnDomain: Accepted, Programmed, Ready, and the CNAME once every connected dns-server answers for it. Pure. */
import type { CdnDomainStatus } from '../../contract/kinds/cdn-domain.ts';
import { compareRevisions } from '../../contract/plans/revision.ts';
import type { DecideState } from '../decide/state.ts';
import type { DomainHistory } from '../publish/publication.ts';
import { fails, holds, ready, type Verdict } from './verdict.ts';

interface DomainInput {
  acceptance: Verdict;
  generation: number;
  /** Nothing before the first plan that has it. */
  history: DomainHistory | undefined;
  /** The name that it has in the routing plan. */
  cname: string | undefined;
  state: DecideState;
  before: CdnDomainStatus | undefined;
}

export function domainVerdicts(input: DomainInput): { verdicts: Verdict[]; cname: string | undefined } {
  const { acceptance, state, before } = input;
  const programmed = programmedVerdict(input);
  const cname = cnameOf(input);
  const routed =
    cname === undefined ? fails('Routed', 'DnsNotReady', dnsMessage(state)) : holds('Routed', 'Routed', '');
  const inAnswers = ready([acceptance, programmed, routed], `serving as ${cname ?? before?.cname ?? ''}`);
  return { verdicts: [acceptance, programmed, inAnswers], cname };
}

/** Every connected node that should have it acked it, at least one. Silence does not withdraw what was said before. */
function programmedVerdict({ history, state, generation, before }: DomainInput): Verdict {
  if (!history) return fails('Programmed', 'NotPublished', 'no plan has it yet');
  const connected = [...state.nodes].filter(([, node]) => node.connected);
  const behind = connected.filter(([, { acked }]) => !acked || compareRevisions(acked, history.changed) < 0);
  if (behind.length > 0) {
    const names = behind.map(([name]) => name).sort();
    const refusing = behind.find(([, { nack }]) => nack?.fault === 'Invalid');
    if (refusing) {
      const message = `${refusing[0]} refuses the plan: ${refusing[1].nack?.message ?? ''}`;
      return fails('Programmed', 'Refused', message.slice(0, 1_024));
    }
    return fails('Programmed', 'WaitingForNodes', `not acked yet by ${list(names)}`);
  }
  const earlier = before?.conditions?.find(({ type }) => type === 'Programmed');
  const stands = earlier?.status === 'True' && earlier.observedGeneration === generation;
  if (connected.length > 0 || stands)
    return holds('Programmed', 'Programmed', 'acked by every connected node');
  return fails('Programmed', 'NoNodeConnected', 'no node is connected');
}

/** Appears when all connected dns-servers have the row, and stays. */
function cnameOf({ history, cname, state, before }: DomainInput): string | undefined {
  if (cname === undefined || !history) return undefined;
  if (before?.cname === cname) return cname;
  const connected = [...state.dnsServers.values()].filter((server) => server.connected);
  const all = connected.every(({ acked }) => compareRevisions(acked, history.routed) >= 0);
  return all && connected.length > 0 ? cname : undefined;
}

function dnsMessage({ dnsServers }: DecideState): string {
  const connected = [...dnsServers.values()].filter((server) => server.connected);
  const refusing = connected.find(({ nack }) => nack?.fault === 'Invalid');
  if (refusing) return `a dns-server refuses the plan: ${refusing.nack?.message ?? ''}`.slice(0, 1_024);
  return connected.length === 0 ? 'no dns-server is connected' : 'not every connected dns-server has it yet';
}

const SHOWN = 10;

/** Names for a message, cut so that it does not grow with the fleet. */
function list(names: readonly string[]): string {
  const rest = names.length - SHOWN;
  return rest > 0 ? `${names.slice(0, SHOWN).join(', ')} and ${rest} more` : names.join(', ');
}
