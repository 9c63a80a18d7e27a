/** Writes an answer around the records of a slot, where the query stands. */

import { COOKIE_BYTES } from '../cookies/cookies.ts';
import { EDNS_DO, EDNS_OPTION, FLAG, MAX_UDP_BYTES, TYPE } from '../wire/constants.ts';
import { type PlainQuery, SHAPE } from './plain-query.ts';

const OPT_BYTES = 11;
/** Of a subnet option: code, length, family, source and scope length. */
const SUBNET_FIXED = 8;
/** Of a cookie: code and length. */
const COOKIE_FIXED = 4;
const COOKIE = (EDNS_OPTION.COOKIE << 16) | COOKIE_BYTES;
/** Type and class of an OPT record: the class is how much we take. */
const OPT = (TYPE.OPT << 16) | MAX_UDP_BYTES;

/** The other counts are the query's: one question, an OPT record where it had one. */
export function writeHeader(query: PlainQuery, kind: number, count: number): void {
  const { start, shape, recursionDesired, view } = query;
  const flags =
    FLAG.QR | kind | (recursionDesired ? FLAG.RD : 0) | (shape & SHAPE.CHECKING_DISABLED ? FLAG.CD : 0);
  view.setUint16(start + 2, flags);
  view.setUint16(start + 6, count);
}

/** With the cookie that was judged, and the subnet that was asked for with this scope; returns where it ends. */
export function writeOpt(query: PlainQuery, start: number, scope: number | undefined): number {
  const { shape, view, bytes, cookie } = query;
  bytes[start] = 0;
  view.setUint32(start + 1, OPT);
  view.setUint32(start + 5, shape & SHAPE.DNSSEC_OK ? EDNS_DO : 0);
  const options = start + OPT_BYTES;
  let at = options;
  if (shape & SHAPE.SUBNET && scope !== undefined) at = writeSubnet(query, at, scope);
  if (shape & SHAPE.COOKIE) {
    view.setUint32(at, COOKIE);
    at = cookie.write(view, at + COOKIE_FIXED);
  }
  view.setUint16(start + 9, at - options);
  return at;
}

function writeSubnet(query: PlainQuery, start: number, scope: number): number {
  const { client, sourceLength, given, view, bytes } = query;
  // Two fields at a time.
  view.setUint32(start, (EDNS_OPTION.CLIENT_SUBNET << 16) | (4 + given));
  view.setUint32(start + 4, ((client.length === 4 ? 1 : 2) << 16) | (sourceLength << 8) | scope);
  const address = start + SUBNET_FIXED;
  for (let index = 0; index < given; index++) bytes[address + index] = client[index] ?? 0;
  return address + given;
}

/** How long the OPT record will be. */
export function optBytes({ shape, given }: PlainQuery): number {
  if (!(shape & SHAPE.EDNS)) return 0;
  const subnet = shape & SHAPE.SUBNET ? SUBNET_FIXED + given : 0;
  return OPT_BYTES + subnet + (shape & SHAPE.COOKIE ? COOKIE_FIXED + COOKIE_BYTES : 0);
}
