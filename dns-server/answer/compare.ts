/** How the answers to a set of queries differ between two views: what share moves, and from which node to which. Pure. */
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain } from '../plan/prepared-plan.ts';
import { answerDomain } from './answer-domain.ts';
import type { Client } from './client.ts';
import type { View } from './view.ts';

export interface AskedQuery {
  /** A hostname of a domain or its CNAME target. */
  name: string;
  client: Client;
  family: Family;
  /** How often it was asked. */
  count: number;
}

/** Shares of all queries that a domain has, 0 to 1. */
export interface Comparison {
  /** Those that count: a domain has their name, before or after. */
  queries: number;
  /** Of names that no domain has. */
  unknown: number;
  moved: number;
  /** By name; NOBODY is there where some query has no answer. */
  nodes: { node: string; before: number; after: number }[];
  /** Largest first. */
  moves: { from: string; to: string; share: number }[];
}

export const NOBODY = '(no answer)';

export function compareViews(
  before: View,
  after: View,
  geo: GeoDatabase,
  asked: Iterable<AskedQuery>,
): Comparison {
  const [find, findAfter] = [domainsByName(before), domainsByName(after)];
  const nodes = new Map<string, { before: number; after: number }>();
  const moves = new Map<string, number>();
  let [queries, unknown] = [0, 0];
  for (const query of asked) {
    const [old, fresh] = [find.get(query.name), findAfter.get(query.name)];
    if (old === undefined && fresh === undefined) {
      unknown += query.count;
      continue;
    }
    queries += query.count;
    const [had, has] = [sharesOf(before, geo, old, query), sharesOf(after, geo, fresh, query)];
    for (const [node, share] of had) tallyOf(nodes, node).before += share * query.count;
    for (const [node, share] of has) tallyOf(nodes, node).after += share * query.count;
    addMoves(moves, had, has, query.count);
  }
  const share = (count: number) => (queries === 0 ? 0 : count / queries);
  return {
    queries,
    unknown,
    moved: share([...moves.values()].reduce((sum, count) => sum + count, 0)),
    nodes: [...nodes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([node, counts]) => ({ node, before: share(counts.before), after: share(counts.after) })),
    moves: [...moves]
      .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
      .map(([key, count]) => {
        const [from = '', to = ''] = key.split('\n');
        return { from, to, share: share(count) };
      }),
  };
}

function domainsByName({ plan }: View): Map<string, PreparedDomain> {
  return new Map(
    plan.domains.flatMap((domain) =>
      [domain.spec.cname, ...domain.spec.hostnames].map((name) => [name, domain] as const),
    ),
  );
}

/** A client takes one of the addresses that it is given: each node of the answer has an equal part. */
function sharesOf(view: View, geo: GeoDatabase, domain: PreparedDomain | undefined, query: AskedQuery) {
  const picked = domain ? answerDomain(view, geo, domain, query.client.address, query.family).picked : [];
  if (picked.length === 0) return new Map([[NOBODY, 1]]);
  return new Map(picked.map(({ node }) => [node.spec.name, 1 / picked.length]));
}

function tallyOf(nodes: Map<string, { before: number; after: number }>, node: string) {
  const tally = nodes.get(node) ?? { before: 0, after: 0 };
  nodes.set(node, tally);
  return tally;
}

/** What some lost goes to those who gained, by how much each did. */
function addMoves(
  moves: Map<string, number>,
  had: ReadonlyMap<string, number>,
  has: ReadonlyMap<string, number>,
  count: number,
): void {
  const gains = [...has].map(([node, share]) => [node, share - (had.get(node) ?? 0)] as const);
  const gained = gains.reduce((sum, [, by]) => sum + Math.max(0, by), 0);
  for (const [from, share] of had) {
    const lost = share - (has.get(from) ?? 0);
    // Thirds do not add up to the last bit.
    if (lost < 1e-9) continue;
    for (const [to, by] of gains) {
      if (by < 1e-9) continue;
      const key = `${from}\n${to}`;
      moves.set(key, (moves.get(key) ?? 0) + lost * (by / gained) * count);
    }
  }
}
