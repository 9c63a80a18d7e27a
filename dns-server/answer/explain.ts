/**
 * Why a client gets the answer that it gets: the steps of an answer, walked again and written down. Pure; the steps
 * are those of answer-domain.ts and choose.ts, so that an explanation can not differ from the answer.
 */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { Tier } from '../../contract/plans/routing-plan.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import type { Isp } from '../geo/asn-table.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import { formatIp } from '../geo/ip-address.ts';
import type { Place } from '../geo/place.ts';
import { type DecidedBy, reasonFor } from '../geo/region-table.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain, PreparedPlan } from '../plan/prepared-plan.ts';
import { answerDomain, type DomainAnswer } from './answer-domain.ts';
import { type Candidate, type JudgedTier, judge, type Outcome } from './choose.ts';
import { type Client, scopeOf } from './client.ts';
import type { Reason } from './gates.ts';
import type { Side } from './shift.ts';
import { tiersFor } from './tiers.ts';
import { createView } from './view.ts';

export interface ExplainInput {
  plan: PreparedPlan;
  table: NodeTable;
  health: HealthReport['nodes'];
  geo: GeoDatabase;
  /** A hostname of the domain, or its CNAME target; in any case, with or without a dot at the end. */
  name: string;
  client: Client;
  family: Family;
  /** Milliseconds since the epoch: shifts and forced states have their times. */
  now: number;
  /** The client's network's owner, where somebody looked it up. */
  isp?: Isp | undefined;
}

export interface Explanation {
  domain: { namespace: string; name: string; hostname: string; cname: string; policy: string };
  client: { address: string; place: Place; isp: Isp | undefined };
  region: { name: string; decidedBy: DecidedBy; member: string | undefined };
  outcome: Outcome;
  /** How timed shifts treat this client. */
  shift: Side;
  /** In the order in which they are tried. */
  tiers: { by: Tier['by']; name: string; sameIsp: boolean; candidates: ExplainedCandidate[] }[];
  answer: { type: 'A' | 'AAAA'; addresses: string[]; ttl: number; scope: number };
}

export interface ExplainedCandidate {
  node: string;
  region: string;
  weight: number;
  /** What its load, or a slow start, leaves of its weight: 0 to 1. */
  load: number;
  answered: boolean;
  /** Why it is left out; where all are down, what is wrong with it although it is answered. */
  reason: Reason | 'NotNeeded' | undefined;
  message: string;
}

/** Nothing when no domain has the name. */
export function explain(input: ExplainInput): Explanation | undefined {
  const { plan, geo, client, family, isp } = input;
  const domain = findDomain(plan, input.name);
  if (domain === undefined) return undefined;
  const view = createView(plan, input.table, input.health, input.now);
  const answer = answerDomain(view, geo, domain, client.address, family);
  const { region, asn } = answer.placement;
  const { place = {} } = geo.locate(client.address);
  const { namespace, name, cname, policy, hostnames } = domain.spec;
  return {
    domain: { namespace, name, hostname: hostnames[0] ?? cname, cname, policy },
    client: { address: formatIp(client.address), place, isp },
    region: { name: region, ...reasonFor(plan.regions, client.address, { place, asn }) },
    outcome: answer.selection.outcome,
    shift: answer.side,
    tiers: judge(tiersFor(answer.set, answer.placement), view.standings, domain, family).map((tier) =>
      explainTier(tier, domain, answer),
    ),
    answer: {
      type: family === 4 ? 'A' : 'AAAA',
      addresses: answer.addresses.map(({ text }) => text),
      ttl: answer.ttl,
      scope: scopeOf(client, answer.length),
    },
  };
}

export function findDomain({ domains }: PreparedPlan, name: string): PreparedDomain | undefined {
  const wanted = name.toLowerCase().replace(/\.$/, '');
  return domains.find(({ spec }) => spec.cname === wanted || spec.hostnames.includes(wanted));
}

function explainTier({ tier, candidates }: JudgedTier, domain: PreparedDomain, answer: DomainAnswer) {
  const { by, name, sameIsp } = tier;
  const explained = candidates.map((candidate) => explainCandidate(candidate, domain, answer));
  return { by, name, sameIsp, candidates: explained };
}

function explainCandidate(
  { standing, hard, soft }: Candidate,
  { spec }: PreparedDomain,
  { picked, selection }: DomainAnswer,
): ExplainedCandidate {
  const { name, region, weight } = standing.node.spec;
  const load = standing.row?.weight ?? 1;
  const answered = picked.some(({ node }) => node === standing.node);
  const closed = hard ?? soft;
  if (closed) return { node: name, region, weight, load, answered, ...closed };
  if (answered) return { node: name, region, weight, load, answered, reason: undefined, message: '' };
  const inTier = selection.standings.some(({ node }) => node === standing.node);
  const message = inTier
    ? `the answer has its ${spec.answers} from this tier by the client’s hash`
    : weight === 0
      ? 'weight 0: only where no other node can answer'
      : 'a tier before it can answer';
  return { node: name, region, weight, load, answered, reason: 'NotNeeded', message };
}
