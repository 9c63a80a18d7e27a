/** Hostnames that several domains claim: hostnames.ts says who has them, here the others are refused. Pure. */
import type { CdnDomain } from '../../contract/kinds/kinds.ts';
import { formatRef } from '../../contract/kinds/metadata.ts';
import type { Problem } from '../../contract/problem.ts';
import { type Contender, domainOf, refuse } from './contenders.ts';
import { type Claimant, hostnamesOf, lostClaims } from './hostnames.ts';
import { problemAt } from './read-document.ts';
import { type Accepted, type AcceptedResource, type Claim, isKind, refOf, resourceKey } from './snapshot.ts';

/**
 * Refuses domains that lose a hostname until nobody does; gives the claims that lost, by who keeps. Each round takes a
 * new form back to the accepted one, or an accepted one out, so it ends.
 */
export function settleHostnames(
  contenders: Map<string, Contender>,
  accepted: Accepted,
  problems: Problem[],
): Map<string, Claim[]> {
  const contested = new Map<string, Claim[]>();
  while (claimedTwice(contenders, accepted)) {
    const keys = new Map<Claimant, string>();
    for (const [key, contender] of contenders) {
      const domain = domainOf(contender);
      if (!domain) continue;
      const before = accepted.resources.get(key)?.resource;
      const held = new Set(before && isKind(before, 'CdnDomain') ? hostnamesOf(before) : []);
      keys.set({ domain, held }, key);
    }
    const lost = lostClaims([...keys.keys()]);
    if (lost.size === 0) return contested;
    for (const [claimant, { hostname, winner }] of lost) {
      const key = keys.get(claimant) ?? '';
      const contender = contenders.get(key);
      if (!contender) continue;
      if (contender.document) {
        const message = `${hostname} belongs to ${formatRef(refOf(winner))}`;
        const path = hostnamePath(claimant.domain, hostname);
        const by = refOf(claimant.domain);
        problems.push(problemAt(contender.document, path, 'Conflict', message, by));
        const kept = resourceKey(refOf(winner));
        contested.set(kept, [...(contested.get(kept) ?? []), { hostname, by }]);
      }
      refuse(contenders, key, contender, accepted);
    }
  }
  return contested;
}

/** Resources of which no two have one hostname. */
const undisputed = new WeakSet<Accepted['resources']>();

/** They came through here, or were made of such without a new claim. */
export function noteUndisputed(resources: Accepted['resources']): void {
  undisputed.add(resources);
}

/** Who has which is only worked out where two want one: mostly nobody does. */
function claimedTwice(contenders: ReadonlyMap<string, Contender>, { resources }: Accepted): boolean {
  if (undisputed.has(resources) && !claimsAnew(contenders, resources)) return false;
  const claimed = new Set<string>();
  for (const contender of contenders.values()) {
    const domain = domainOf(contender);
    for (const hostname of domain ? hostnamesOf(domain) : []) {
      if (claimed.has(hostname)) return true;
      claimed.add(hostname);
    }
  }
  return false;
}

/** Whether anybody wants a hostname that it has not already. */
function claimsAnew(contenders: ReadonlyMap<string, Contender>, resources: Accepted['resources']): boolean {
  for (const [key, contender] of contenders) {
    const before = resources.get(key);
    if (contender.form !== before && claimsMore(contender.form, before)) return true;
  }
  return false;
}

export function claimsMore({ resource }: AcceptedResource, before: AcceptedResource | undefined): boolean {
  if (!isKind(resource, 'CdnDomain')) return false;
  const held = before && isKind(before.resource, 'CdnDomain') ? hostnamesOf(before.resource) : [];
  return hostnamesOf(resource).some((hostname) => !held.includes(hostname));
}

function hostnamePath({ spec }: CdnDomain, hostname: string): PropertyKey[] {
  return spec.hostname === hostname
    ? ['spec', 'hostname']
    : ['spec', 'aliases', spec.aliases?.indexOf(hostname) ?? 0];
}
