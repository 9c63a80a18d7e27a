/** Which domains are answered with nodes that are all down or not admitted, for the clients of some region. Pure. */
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain } from '../plan/prepared-plan.ts';
import type { Cohort, View } from './view.ts';

export function allDownDomains(view: View): PreparedDomain[] {
  const known = new Map<Cohort, boolean>();
  return view.plan.domains.filter((domain) => {
    const cohort = view.cohortOf(domain, domain.set);
    const allDown = known.get(cohort) ?? isAllDown(view, domain);
    known.set(cohort, allDown);
    return allDown;
  });
}

function isAllDown(view: View, domain: PreparedDomain): boolean {
  const { nodes, tiersOf } = domain.set;
  const families = new Set<Family>(nodes.flatMap(({ addresses }) => addresses.map(({ family }) => family)));
  return [...tiersOf.keys()].some((region) =>
    [...families].some(
      (family) => view.selectionFor(domain, domain.set, { region }, family).outcome === 'AllDown',
    ),
  );
}
