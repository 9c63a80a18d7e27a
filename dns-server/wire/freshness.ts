/** For how long a response may be kept: the lowest TTL in it, for HTTP caches that know nothing of DNS (RFC 8484 5.1). */
import { HEADER_BYTES, TYPE } from './constants.ts';
import { skipName } from './name.ts';

/** In seconds. Of a negative answer that is the SOA's, which is the lesser of its TTL and minimum already. */
export function freshnessOf(response: Buffer): number {
  const count = response.readUInt16BE(6) + response.readUInt16BE(8) + response.readUInt16BE(10);
  let lowest: number | undefined;
  let at = HEADER_BYTES;
  if (response.readUInt16BE(4) === 1) at = skipName(response, at, response.length) + 4;
  for (let index = 0; index < count; index++) {
    const fixed = skipName(response, at, response.length);
    const ttl = response.readUInt32BE(fixed + 4);
    if (response.readUInt16BE(fixed) !== TYPE.OPT && ttl < (lowest ?? Infinity)) lowest = ttl;
    at = fixed + 10 + response.readUInt16BE(fixed + 8);
  }
  return lowest ?? 0;
}
