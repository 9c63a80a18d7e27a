/** What a zone says of itself: SOA and NS, as the data of records. */
import type { Revision } from '../../contract/plans/revision.ts';
import type { RoutingZone } from '../../contract/plans/routing-plan.ts';
import { TYPE } from '../wire/constants.ts';
import { keyOfName, wireOfName } from '../wire/name.ts';
import { prepareAddress } from './prepared-address.ts';
import type { PreparedZone } from './prepared-plan.ts';
import type { RecordSet } from './record-sets.ts';

/** TTL of SOA, NS and the name servers' addresses: they change when people move machines. */
export const ZONE_TTL = 3_600;

/**
 * Refresh, retry and expire, in seconds. No secondary transfers the zone (dns-servers get plans), so that these only
 * have to be values that zone checkers take for sane.
 */
const SOA_TIMERS = [3_600, 600, 1_209_600] as const;

export function prepareZone(spec: RoutingZone): PreparedZone {
  const nameServers = spec.nameServers.map(({ name, addresses }) => {
    const data = wireOfName(name);
    return { data, key: data.toString('latin1'), glue: addresses.map(prepareAddress) };
  });
  return { spec, key: keyOfName(spec.name), nameServers, atParent: undefined };
}

/** Apart from the zone: it is another with every plan, and the zone seldom is. */
export function soaOf({ spec, nameServers }: PreparedZone, revision: Revision): RecordSet {
  const primary = nameServers[0]?.data ?? wireOfName('');
  const data = soaData(primary, wireOfName(spec.contact), serialOf(revision), spec.negativeTtl);
  return { type: TYPE.SOA, ttl: ZONE_TTL, data: [data] };
}

function soaData(primary: Uint8Array, contact: Buffer, serial: number, minimum: number): Buffer {
  const numbers = Buffer.alloc(20);
  for (const [index, number] of [serial, ...SOA_TIMERS, minimum].entries()) {
    numbers.writeUInt32BE(number, index * 4);
  }
  return Buffer.concat([primary, contact, numbers]);
}

/**
 * 10 bits of epoch over 22 of seq: rises with every revision, in the serial arithmetic of RFC 1982, for 48 days of one
 * leader that publishes once a second.
 */
export function serialOf({ epoch, seq }: Revision): number {
  return (epoch % EPOCHS) * SEQS + (seq % SEQS);
}

const EPOCHS = 2 ** 10;
const SEQS = 2 ** 22;

/** A negative answer lives for the lesser of the SOA's TTL and its minimum (RFC 2308 5). */
export function negativeTtl(zone: PreparedZone): number {
  return Math.min(ZONE_TTL, zone.spec.negativeTtl);
}
