/** Writes an answer around the records of a slot, where the query stands. */
import { EDNS_DO, EDNS_OPTION, FLAG, MAX_UDP_BYTES, TYPE } from '../wire/constants.ts';
import { type PlainQuery, SHAPE } from './plain-query.ts';

const OPT_BYTES = 11;
/** Of a subnet option: code, length, family, source and scope length. */
const SUBNET_FIXED = 8;
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

/** With the subnet that was asked for and this scope; returns where it ends. */
export function writeOpt(query: PlainQuery, start: number, scope: number | undefined): number {
  const { shape, client, sourceLength, given, view, bytes } = query;
  bytes[start] = 0;
  view.setUint32(start + 1, OPT);
  view.setUint32(start + 5, shape & SHAPE.DNSSEC_OK ? EDNS_DO : 0);
  const options = start + OPT_BYTES;
  if (scope === undefined || !(shape & SHAPE.SUBNET)) {
    view.setUint16(start + 9, 0);
    return options;
  }
  // The length of all options, then the option: two fields at a time.
  view.setUint32(start + 9, ((SUBNET_FIXED + given) << 16) | EDNS_OPTION.CLIENT_SUBNET);
  view.setUint32(options + 2, ((4 + given) << 16) | (client.length === 4 ? 1 : 2));
  view.setUint16(options + 6, (sourceLength << 8) | scope);
  const address = options + SUBNET_FIXED;
  for (let index = 0; index < given; index++) bytes[address + index] = client[index] ?? 0;
  return address + given;
}

/** How long the OPT record will be. */
export function optBytes({ shape, given }: PlainQuery): number {
  if (!(shape & SHAPE.EDNS)) return 0;
  return OPT_BYTES + (shape & SHAPE.SUBNET ? SUBNET_FIXED + given : 0);
}
