/**
 * One query to one response: bytes in, bytes out; no socket, no clock.
 *
 *     readQuery ──> silence | BADVERS | FORMERR, NOTIMP | answer-name.ts
 */
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import type { PreparedDomain } from '../plan/prepared-plan.ts';
import { MAX_TCP_BYTES, MAX_UDP_BYTES, PLAIN_UDP_BYTES, RCODE } from '../wire/constants.ts';
import { type Edns, isFault, readQuery } from '../wire/query.ts';
import type { ResponseWriter } from '../wire/response.ts';
import { answerName } from './answer-name.ts';
import type { View } from './view.ts';

export type Transport = 'udp' | 'tcp';

export interface Responder {
  /** Nothing before the first plan: every name is outside the zones then. */
  view: View | undefined;
  geo: GeoDatabase;
}

/** What was answered, for the metrics. */
export interface Responded {
  /** Bytes in the writer's buffer; 0 is silence. */
  length: number;
  /** The type that was asked for; 0 when no question could be read. */
  type: number;
  rcode: number;
  truncated: boolean;
  /** Whose addresses were asked for. */
  domain: PreparedDomain | undefined;
}

const SILENCE: Responded = { length: 0, type: 0, rcode: 0, truncated: false, domain: undefined };

export function respond(
  { view, geo }: Responder,
  message: Buffer,
  source: IpAddress,
  transport: Transport,
  writer: ResponseWriter,
): Responded {
  const query = readQuery(message);
  if (query === undefined) return SILENCE;
  writer.begin(message, query, limitOf(transport, query.edns));
  let domain: PreparedDomain | undefined;
  // A later version may mean anything by the rest (RFC 6891 6.1.3).
  if (query.edns && query.edns.version !== 0) writer.setRcode(RCODE.BADVERS);
  else if (isFault(query)) writer.setRcode(query.rcode);
  else domain = answerName({ geo, query, source, writer }, view);
  return {
    length: writer.finish(),
    type: isFault(query) ? 0 : query.type,
    rcode: writer.rcode,
    truncated: writer.truncated,
    domain,
  };
}

/** The largest response that may be sent: what the client takes, and what crosses any network in one piece. */
function limitOf(transport: Transport, edns: Edns | undefined): number {
  if (transport === 'tcp') return MAX_TCP_BYTES;
  return edns ? Math.min(Math.max(edns.udpBytes, PLAIN_UDP_BYTES), MAX_UDP_BYTES) : PLAIN_UDP_BYTES;
}
