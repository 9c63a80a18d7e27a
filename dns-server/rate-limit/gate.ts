/**
 * What becomes of a UDP query before anything is looked up for it. TCP, and whoever sent a valid cookie, is no forged
 * source: response rate limiting leaves them alone.
 */
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { parseIp } from '../geo/ip-address.ts';
import { PrefixTrie } from '../geo/prefix-trie.ts';
import {
  ADDRESS_ONLY,
  KNOT_PREFIXES,
  type LimiterMemory,
  limiterMemory,
  PrefixLimiter,
} from './prefix-limiter.ts';

export type Verdict = 'Answer' | 'Truncate' | 'Drop';

/** Which limit it was, for the metrics. */
export interface Judged {
  verdict: Verdict;
  by: 'responses' | 'client' | undefined;
}

export type Gate = (source: IpAddress, validCookie: boolean, now: number) => Judged;

const PASSED: Judged = { verdict: 'Answer', by: undefined };

export const OPEN_GATE: Gate = () => PASSED;

/** What is limited, and what was counted of it: threads whose gates are made from the same limits count together. */
export interface Limits {
  rateLimit: NonNullable<RoutingPlan['rateLimit']>;
  responses: LimiterMemory;
  clients: LimiterMemory;
}

export function createLimits(rateLimit: RoutingPlan['rateLimit']): Limits | undefined {
  return rateLimit && { rateLimit, responses: limiterMemory(), clients: limiterMemory() };
}

export function createGate(limits: Limits | undefined): Gate {
  if (limits === undefined) return OPEN_GATE;
  const { responses, perClient, exempt } = limits.rateLimit;
  const responseLimiter = responses && new PrefixLimiter(responses, KNOT_PREFIXES, limits.responses);
  const rate = perClient && { perSecond: perClient, burst: perClient };
  const clientLimiter = rate && new PrefixLimiter(rate, ADDRESS_ONLY, limits.clients);
  const isExempt = membership(exempt);
  let limited = 0;
  return (source, validCookie, now) => {
    if (isExempt(source)) return PASSED;
    // Its clients are resolvers with thousands of users behind them: they are sent to TCP, never left in the dark.
    if (clientLimiter && !clientLimiter.admit(source, now)) return { verdict: 'Truncate', by: 'client' };
    if (!responses || !responseLimiter || validCookie || responseLimiter.admit(source, now)) return PASSED;
    limited++;
    // Every slip-th is answered with TC, so that a real client behind a forged flood gets through (0: none is).
    const slips = responses.slip > 0 && limited % responses.slip === 0;
    return { verdict: slips ? 'Truncate' : 'Drop', by: 'responses' };
  };
}

function membership(networks: readonly string[]): (address: IpAddress) => boolean {
  const tries = { 4: new PrefixTrie<true>(), 6: new PrefixTrie<true>() };
  for (const network of networks) {
    const [text = '', length = ''] = network.split('/');
    const address = parseIp(text);
    if (address === undefined) throw new Error(`${network} is no network`);
    tries[address.version].add(address.bytes, Number(length), true);
  }
  return ({ version, bytes }) => tries[version].match(bytes).value === true;
}
