/**
 * Which edge gets which certificate: those of the domains that it may be answered for, and no others. Pure.
 *
 *     edge plan: domain ──tls──> secrets     routing plan: domain ──set, shifts──> candidate sets ──> nodes
 *
 * Edges that serve the same domains share one set of secrets, so that what changes is made into lines once.
 */
import type { EdgePlan } from '../../contract/plans/edge-plan.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import type { AgentSecret } from '../../contract/stream/agent-secret.ts';
import { NO_SECRETS, type SecretSet, secretSet } from './secret-lines.ts';

type Names = ReadonlySet<string>;
export type SecretsByName = ReadonlyMap<string, AgentSecret>;

/** Names of secrets, by the edge that is to have them. */
export function secretNamesByNode(edge: EdgePlan, routing: RoutingPlan): ReadonlyMap<string, Names> {
  const ofDomain = new Map(
    edge.domains.flatMap(({ uid, tls }) =>
      tls ? [[uid, tls.certificates.map(({ secret }) => secret)] as const] : [],
    ),
  );
  const bySet = new Map<string, Set<string>>();
  for (const { uid, set, shifts } of routing.domains) {
    const names = ofDomain.get(uid);
    if (!names) continue;
    for (const id of new Set([set, ...shifts.map((shift) => shift.set)])) {
      const known = bySet.get(id) ?? new Set();
      bySet.set(id, known);
      for (const name of names) known.add(name);
    }
  }
  const setsOf = new Map<string, string[]>();
  for (const { id, regions } of routing.candidateSets) {
    if (!bySet.has(id)) continue;
    const nodes = new Set(regions.flatMap(({ tiers }) => tiers.flatMap((tier) => tier.nodes)));
    for (const node of nodes) setsOf.set(node, [...(setsOf.get(node) ?? []), id]);
  }
  const unions = new Map<string, Names>();
  const unionOf = (ids: readonly string[]): Names => {
    const key = ids.join(' ');
    const names = unions.get(key) ?? new Set(ids.flatMap((id) => [...(bySet.get(id) ?? [])]));
    unions.set(key, names);
    return names;
  };
  return new Map([...setsOf].map(([node, ids]) => [node, unionOf(ids)] as const));
}

/** The values by edge; one that is not known here yet is left out. */
export function secretsByNode(
  names: ReadonlyMap<string, Names>,
  values: SecretsByName,
): ReadonlyMap<string, SecretSet> {
  const made = new Map<Names, SecretSet>();
  const setOf = (wanted: Names): SecretSet => {
    const known = made.get(wanted);
    if (known) return known;
    const found = [...wanted].flatMap((name) => values.get(name) ?? []);
    const set = found.length === 0 ? NO_SECRETS : secretSet(found);
    made.set(wanted, set);
    return set;
  };
  return new Map([...names].map(([node, wanted]) => [node, setOf(wanted)] as const));
}

/** Whether edges can be sent all that the plan names: each certificate is here, and who is to have it is known. */
export function isComplete(edge: EdgePlan, routing: RoutingPlan | undefined, values: SecretsByName): boolean {
  const secured = edge.domains.filter(({ tls }) => tls);
  if (secured.length === 0) return true;
  const routed = new Set(routing?.domains.map(({ uid }) => uid));
  return secured.every(
    ({ uid, tls }) =>
      routed.has(uid) &&
      tls?.certificates.every(({ secret, digest }) => values.get(secret)?.digest === digest),
  );
}
