/**
 * Which nodes may serve which domains, region by region, in tiers. Domains that choose alike share one candidate set:
 * ten thousand domains on one pool are one set. Pure.
 *
 *     edges ──routing.nodes──> selected ──policy──> tiers for each region, an override's before them
 *                              └──shift.nodes──> the same, and whatever node is left as a last tier
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { Routing } from '../../contract/kinds/cdn-domain.ts';
import type { EdgeNode } from '../../contract/kinds/kinds.ts';
import { type LabelSelector, selects } from '../../contract/kinds/label-selector.ts';
import { type CandidateSet, NO_REGION, type Tier } from '../../contract/plans/routing-plan.ts';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import { memoWith } from '../../lib/memo.ts';

export interface CandidateSets {
  /** The id of the set of a domain, or of its shift to some nodes; the set is made when it is first asked for. */
  idFor(routing: Routing, shiftedTo?: LabelSelector): string;
  /** Sorted by id. */
  all(): CandidateSet[];
}

interface Choice {
  routing: Routing;
  nodes: readonly EdgeNode[];
  config: WeirConfig;
}

/** How a policy orders the nodes for the clients of a region. */
const POLICIES: Record<Routing['policy'], (region: string, choice: Choice) => Tier[]> = {
  Geo: (region, choice) => (region === NO_REGION ? sites(choice) : regionAndFallbacks(region, choice)),
  Weighted: (_, { nodes }) => [everyNode(nodes)],
  Failover: (_, choice) => steps(choice),
};

export function candidateSets(all: readonly EdgeNode[], config: WeirConfig): CandidateSets {
  const { edges, byChoice } = choicesAmong(all, config);
  const used = new Set<CandidateSet>();
  return {
    idFor(routing, shiftedTo) {
      const key = choiceKey(routing, shiftedTo);
      const known = byChoice.get(key);
      if (known !== undefined) {
        used.add(known);
        return known.id;
      }
      const nodes = edges.filter(
        ({ metadata: { labels } }) => selects(routing.nodes, labels) && selects(shiftedTo, labels),
      );
      const choice = { routing, nodes, config };
      const regions = regionNames(config).map((region) => ({
        region,
        tiers: eachNodeOnce(shiftedTo ? shiftTiers(region, choice) : ordinaryTiers(region, choice)),
      }));
      const id = canonicalDigest(regions).slice(0, 16);
      const set = [...byChoice.values()].find((other) => other.id === id) ?? { id, regions };
      byChoice.set(key, set);
      used.add(set);
      return id;
    },
    all: () => [...used].sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

interface Choices {
  nodes: readonly EdgeNode[];
  config: WeirConfig;
  edges: readonly EdgeNode[];
  /** The sets that were made among these nodes. */
  byChoice: Map<string, CandidateSet>;
}

/** Nodes change seldom: what was chosen among the same ones by the same settings is not chosen again. */
let last: Choices | undefined;

function choicesAmong(nodes: readonly EdgeNode[], config: WeirConfig): Choices {
  const isSame = last?.config === config && last.nodes.length === nodes.length;
  if (last && isSame && last.nodes.every((node, index) => node === nodes[index])) return last;
  last = { nodes, config, edges: nodes.filter(({ spec }) => spec.tier === 'Edge'), byChoice: new Map() };
  return last;
}

/** Domains with equal keys choose alike. */
const choiceKey = memoWith((routing: Routing, shiftedTo: LabelSelector | undefined) => {
  const { policy, order, overrides, nodes = {} } = routing;
  return canonicalDigest({ policy, order, overrides, nodes, shiftedTo });
});

function regionNames({ regions }: WeirConfig): string[] {
  return regions.length === 0 ? [NO_REGION] : regions.map(({ name }) => name).sort();
}

function ordinaryTiers(region: string, choice: Choice): Tier[] {
  const { nodes, routing } = choice;
  const override = routing.overrides?.find((row) => row.region === region);
  const first = override ? [tier('Override', region, selected(nodes, override.nodes))] : [];
  return [...first, ...POLICIES[routing.policy](region, choice)];
}

/** What was shifted arrives, also where the policy alone would not lead to these nodes. */
function shiftTiers(region: string, choice: Choice): Tier[] {
  return [...POLICIES[choice.routing.policy](region, choice), everyNode(choice.nodes)];
}

function regionAndFallbacks(region: string, { nodes, config }: Choice): Tier[] {
  const { fallback } = config.regions.find(({ name }) => name === region) ?? {};
  const outward = fallback ?? (config.defaultRegion === undefined ? [] : [config.defaultRegion]);
  return [region, ...outward].map((name) =>
    tier(
      'Region',
      name,
      nodes.filter(({ spec }) => spec.region === name),
    ),
  );
}

/** Nodes at one place are one site; those that stand nowhere come after all sites. */
function sites({ nodes }: Choice): Tier[] {
  const bySite = Map.groupBy(nodes, ({ spec: { location } }) =>
    location ? `${location.latitude},${location.longitude}` : '',
  );
  const located = [...bySite].flatMap(([name, ofSite]): Tier[] => {
    const location = ofSite[0]?.spec.location;
    return location ? [{ ...tier('Site', name, ofSite), location }] : [];
  });
  return [...located.sort((a, b) => (a.name < b.name ? -1 : 1)), everyNode(bySite.get('') ?? [])];
}

function steps({ nodes, routing: { order = [] } }: Choice): Tier[] {
  return order.map((selector, index) => tier('Order', String(index + 1), selected(nodes, selector)));
}

const everyNode = (nodes: readonly EdgeNode[]): Tier => tier('All', 'all', nodes);

function selected(nodes: readonly EdgeNode[], selector: LabelSelector): EdgeNode[] {
  return nodes.filter(({ metadata }) => selects(selector, metadata.labels));
}

function tier(by: Tier['by'], name: string, nodes: readonly EdgeNode[]): Tier {
  return { by, name, nodes: nodes.map(({ metadata }) => metadata.name).sort() };
}

/** A node stands in the first tier that names it; tiers without nodes are left out. */
function eachNodeOnce(tiers: readonly Tier[]): Tier[] {
  const seen = new Set<string>();
  return tiers.flatMap((row) => {
    const nodes = row.nodes.filter((name) => !seen.has(name));
    for (const name of nodes) seen.add(name);
    return nodes.length === 0 ? [] : [{ ...row, nodes }];
  });
}
