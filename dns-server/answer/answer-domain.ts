/** The addresses of a domain for one client, and for how much of the client's network they hold. Pure. */
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { type Placement, placeClient } from '../geo/region-table.ts';
import type { Family } from '../plan/prepared-address.ts';
import type { PreparedDomain, PreparedSet } from '../plan/prepared-plan.ts';
import { negativeTtl } from '../plan/zone.ts';
import { addressesOf, dependsOnClient, pick, type Selection } from './choose.ts';
import { UNIT_BITS, unitOf } from './rendezvous.ts';
import { divides, type Side, shiftOf } from './shift.ts';
import type { AddressStanding, NodeStanding } from './standing.ts';
import type { View } from './view.ts';

export interface DomainAnswer {
  domain: PreparedDomain;
  placement: Placement;
  /** Whether the client was moved by a timed shift, stayed although one is in force, or none is. */
  side: Side;
  /** The candidates that count for this client: the domain's own, or a shift's. */
  set: PreparedSet;
  selection: Selection;
  picked: NodeStanding[];
  addresses: AddressStanding[];
  /** Of the addresses; of the negative answer when there are none. */
  ttl: number;
  /** Every client that shares this many bits gets the same answer; 0 when all clients do. */
  length: number;
}

/** TTL of "no node serves it yet": the first one will soon, and should not have to wait for caches. */
export const NOT_YET_READY_TTL = 5;

export function answerDomain(
  view: View,
  geo: GeoDatabase,
  domain: PreparedDomain,
  client: IpAddress,
  family: Family,
): DomainAnswer {
  const placement = placeClient(view.plan.regions, geo, client);
  const unitLength = Math.max(placement.length, UNIT_BITS[client.version]);
  const shifts = view.shiftsOf(domain);
  const shift = shifts.length === 0 ? undefined : shiftOf(shifts, domain, unitOf(client.bytes, unitLength));
  const set = shift?.set ?? domain.set;
  const selection = view.selectionFor(domain, set, placement, family);
  const contested = selection.standings.length > 1;
  // A unit is divided further only where there is something to choose: the scope is as wide as can be.
  const length = contested || divides(shifts) ? unitLength : placement.length;
  const picked = pick(selection, contested ? unitOf(client.bytes, length) : 0, domain.spec.answers);
  const addresses = addressesOf(selection, picked, family);
  return {
    domain,
    placement,
    side: shifts.length === 0 ? 'None' : shift ? 'Moved' : 'Kept',
    set,
    selection,
    picked,
    addresses,
    ttl: addresses.length > 0 ? ttlOf(domain, selection) : emptyTtl(domain, selection),
    length: dependsOnClient(domain, family) ? length : 0,
  };
}

/**
 * No longer than until probes can change the answer, so that caches see a failover soon; but never below a minimum,
 * or fast probes would make every TTL tiny (gdnsd does the same).
 */
function ttlOf({ spec: { ttl, minTtl } }: PreparedDomain, { turnMs }: Selection): number {
  return Math.min(ttl, Math.max(minTtl, Math.ceil(turnMs / 1_000)));
}

function emptyTtl({ zone, spec }: PreparedDomain, { outcome }: Selection): number {
  return outcome === 'NotYetReady' ? NOT_YET_READY_TTL : Math.min(negativeTtl(zone), spec.ttl);
}
