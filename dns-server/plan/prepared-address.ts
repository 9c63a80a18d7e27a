/** An address as text, and as the data of its A or AAAA record. */
import { parseIp } from '../geo/ip-address.ts';

export type Family = 4 | 6;

export interface PreparedAddress {
  text: string;
  family: Family;
  bytes: Uint8Array;
}

export function prepareAddress(text: string): PreparedAddress {
  const ip = parseIp(text);
  if (ip === undefined) throw new Error(`${text} is no IP address`);
  return { text, family: ip.version, bytes: ip.bytes };
}
