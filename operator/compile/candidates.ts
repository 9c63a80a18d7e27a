/**
 * Which nodes may serve which domains, region by region. Domains that select the same nodes share one candidate set:
 * ten thousand domains on one pool are one set. Pure.
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { EdgeNode } from '../../contract/kinds/kinds.ts';
import { type LabelSelector, selects } from '../../contract/kinds/label-selector.ts';
import type { CandidateSet, Tier } from '../../contract/plans/routing-plan.ts';
import { canonicalDigest } from '../../lib/canonical-json.ts';

export interface CandidateSets {
  /** The id of the set for a selector; the set is made when it is first asked for. */
  idFor(selector: LabelSelector | undefined): string;
  /** Sorted by id. */
  all(): CandidateSet[];
}

export function candidateSets(nodes: readonly EdgeNode[], config: WeirConfig): CandidateSets {
  const bySelector = new Map<string, string>();
  const sets = new Map<string, CandidateSet>();
  return {
    idFor(selector) {
      const key = canonicalDigest(selector ?? {});
      const known = bySelector.get(key);
      if (known !== undefined) return known;
      const regions = tiersByRegion(
        nodes.filter(({ metadata }) => selects(selector, metadata.labels)),
        config,
      );
      const id = canonicalDigest(regions).slice(0, 16);
      bySelector.set(key, id);
      sets.set(id, { id, regions });
      return id;
    },
    all: () => [...sets.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

function tiersByRegion(nodes: readonly EdgeNode[], config: WeirConfig): CandidateSet['regions'] {
  return config.regions
    .map(({ name, fallback }) => ({
      region: name,
      tiers: [name, ...(fallback ?? [config.defaultRegion])]
        .filter(isFirst)
        .flatMap((region) => tierOf(region, nodes)),
    }))
    .sort((a, b) => (a.region < b.region ? -1 : 1));
}

function tierOf(region: string, nodes: readonly EdgeNode[]): Tier[] {
  const names = nodes.filter(({ spec }) => spec.region === region).map(({ metadata }) => metadata.name);
  return names.length === 0 ? [] : [{ region, nodes: names.sort() }];
}

function isFirst<T>(value: T, index: number, all: T[]): boolean {
  return all.indexOf(value) === index;
}
