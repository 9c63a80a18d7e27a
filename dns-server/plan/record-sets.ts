/** Sets of records that are the same for every client (RFC 2181 5), as the data of the wire. */
import { RECORD_TYPES, recordData } from '../../contract/dns/record-data.ts';
import type { RoutingRecord } from '../../contract/plans/routing-plan.ts';
import { TYPE } from '../wire/constants.ts';
import type { PreparedAddress } from './prepared-address.ts';

export interface RecordSet {
  type: number;
  ttl: number;
  data: readonly Uint8Array[];
}

export type RecordSets = Map<number, RecordSet>;

/** Adds to the set of the type; what is in it stays once, and the lowest TTL holds for all (RFC 2181 5.2). */
export function addRecords(sets: RecordSets, { type, ttl, data }: RecordSet): void {
  const before = sets.get(type);
  const known = new Set(before?.data.map(textOf));
  const fresh = data.filter((bytes) => !known.has(textOf(bytes)));
  sets.set(type, { type, ttl: Math.min(before?.ttl ?? ttl, ttl), data: [...(before?.data ?? []), ...fresh] });
}

function textOf(data: Uint8Array): string {
  return Buffer.from(data).toString('latin1');
}

export function addAddresses(sets: RecordSets, addresses: readonly PreparedAddress[], ttl: number): void {
  for (const { family, bytes } of addresses) {
    addRecords(sets, { type: family === 4 ? TYPE.A : TYPE.AAAA, ttl, data: [bytes] });
  }
}

export function staticRecord({ type, ttl, data }: RoutingRecord, zone: string): RecordSet {
  return { type: RECORD_TYPES[type], ttl, data: [recordData(type, data, zone)] };
}
