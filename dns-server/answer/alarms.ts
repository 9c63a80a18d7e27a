/** Which domains are answered with nodes that are all down or not admitted, for the clients of some region. Pure. */
import type { PreparedDomain } from '../plan/prepared-plan.ts';
import type { View } from './view.ts';

export function allDownDomains(view: View): PreparedDomain[] {
  return view.plan.domains.filter((domain) => {
    const families = new Set(
      domain.set.nodes.flatMap(({ addresses }) => addresses.map(({ family }) => family)),
    );
    return [...domain.set.tiersOf.keys()].some((region) =>
      [...families].some((family) => view.selectionFor(domain, region, family).outcome === 'AllDown'),
    );
  });
}
