/**
 * Who may have a hostname that several domains claim: the one that had it in its accepted form keeps it, else the
 * older, else the lower uid. Pure.
 */
import type { CdnDomain } from '../../contract/kinds/kinds.ts';

export interface Claimant {
  domain: CdnDomain;
  /** Hostnames of the form that was accepted before. */
  held: ReadonlySet<string>;
}

export interface LostClaim {
  hostname: string;
  winner: CdnDomain;
}

export function hostnamesOf({ spec: { hostname, aliases = [] } }: CdnDomain): string[] {
  return [hostname, ...aliases];
}

/** For each claimant the first hostname that another one has the better claim to; those that lose none are left out. */
export function lostClaims(claimants: readonly Claimant[]): Map<Claimant, LostClaim> {
  const byHostname = new Map<string, Claimant[]>();
  for (const claimant of claimants) {
    for (const hostname of hostnamesOf(claimant.domain)) {
      byHostname.set(hostname, [...(byHostname.get(hostname) ?? []), claimant]);
    }
  }
  const lost = new Map<Claimant, LostClaim>();
  for (const [hostname, rivals] of byHostname) {
    const [winner, ...losers] = rivals.sort((a, b) => compareClaims(hostname, a, b));
    for (const loser of losers) {
      if (winner && !lost.has(loser)) lost.set(loser, { hostname, winner: winner.domain });
    }
  }
  return lost;
}

function compareClaims(hostname: string, a: Claimant, b: Claimant): number {
  const [first, second] = [a.domain.metadata, b.domain.metadata];
  return (
    Number(b.held.has(hostname)) - Number(a.held.has(hostname)) ||
    Date.parse(first.creationTimestamp) - Date.parse(second.creationTimestamp) ||
    (first.uid < second.uid ? -1 : 1)
  );
}
