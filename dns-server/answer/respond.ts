/**
 * One query to one response: bytes in, bytes out; no socket, and the time is handed in.
 *
 *     readQuery ──> silence | BADVERS | FORMERR, NOTIMP | gate ──> silence | TC | answer-name.ts
 */

import { judgeCookie, type ServerCookie } from '../cookies/cookies.ts';
import type { ZoneSigner } from '../dnssec/zone-signer.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import type { PreparedDomain } from '../plan/prepared-plan.ts';
import type { Gate, Judged } from '../rate-limit/gate.ts';
import {
  EDNS_OPTION,
  EXTENDED_ERROR,
  MAX_TCP_BYTES,
  MAX_UDP_BYTES,
  PLAIN_UDP_BYTES,
  RCODE,
} from '../wire/constants.ts';
import { type Edns, type Fault, isFault, type Query, readQuery } from '../wire/query.ts';
import type { ResponseWriter } from '../wire/response.ts';
import type { DomainAnswer } from './answer-domain.ts';
import { answerName } from './answer-name.ts';
import type { View } from './view.ts';

export type Transport = 'udp' | 'tcp' | 'tls' | 'https';

export interface Responder {
  /** Nothing before the first plan: every name is outside the zones then. */
  view: View | undefined;
  geo: GeoDatabase;
  /** By zone; a zone without one is not signed. */
  signers: ReadonlyMap<string, ZoneSigner>;
  gate: Gate;
  cookieSecret: Buffer;
  /** Who we say that we are (RFC 5001). */
  nsid: Buffer;
  /** How long a connection may be idle, in milliseconds (RFC 7828). */
  idleMs: number;
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
  /** How its addresses were chosen. */
  answer?: DomainAnswer | undefined;
  /** The limit that it met. */
  limited: Judged | undefined;
  /** The server's half of its cookie, where it came with one. */
  cookie: ServerCookie | 'none';
}

const SILENCE: Responded = {
  length: 0,
  type: 0,
  rcode: 0,
  truncated: false,
  domain: undefined,
  limited: undefined,
  cookie: 'none',
};

export function respond(
  responder: Responder,
  message: Buffer,
  source: IpAddress,
  transport: Transport,
  writer: ResponseWriter,
  now: number,
): Responded {
  const query = readQuery(message);
  if (query === undefined) return SILENCE;
  writer.begin(message, query, limitOf(transport, query.edns));
  const cookie = writeOptions(responder, query, source, transport, writer, now);
  const type = isFault(query) ? 0 : query.type;
  const judged = transport === 'udp' ? responder.gate(source, cookie === 'good', now) : undefined;
  const limited = judged?.by && judged;
  if (limited?.verdict === 'Drop') return { ...SILENCE, type, limited, cookie };
  let answer: DomainAnswer | undefined;
  if (limited) writer.truncate();
  else if (isStaleCookie(query, cookie)) writer.setRcode(RCODE.BADCOOKIE);
  else answer = write(responder, query, source, writer, now);
  return {
    length: writer.finish(),
    type,
    rcode: writer.rcode,
    truncated: writer.truncated,
    domain: answer?.domain,
    answer,
    limited,
    cookie,
  };
}

function write(
  { view, geo, signers }: Responder,
  query: Query | Fault,
  source: IpAddress,
  writer: ResponseWriter,
  now: number,
): DomainAnswer | undefined {
  // A later version may mean anything by the rest (RFC 6891 6.1.3).
  if (query.edns && query.edns.version !== 0) return writer.setRcode(RCODE.BADVERS);
  // Most answers are the same for everybody, errors too (RFC 7871 7.2.1); those of a domain say otherwise.
  writer.setScope(0);
  if (!isFault(query)) return answerName({ geo, query, source, now, writer, signers }, view);
  const notSupported = query.rcode === RCODE.NOTIMP ? EXTENDED_ERROR.NOT_SUPPORTED : undefined;
  return writer.setRcode(query.rcode, notSupported);
}

/** Without a question, a server cookie is sent to hear whether it is still good (RFC 7873 5.4). */
function isStaleCookie(query: Query | Fault, cookie: Responded['cookie']): boolean {
  const asksForOne = isFault(query) && query.rcode === RCODE.NOERROR;
  return asksForOne && cookie === 'bad';
}

/** RFC 8467 4.1: so many answers have one length. */
const PADDING_BLOCK = 468;

/** What was asked for beside the question: cookie, name of the server, idle time, padding. */
function writeOptions(
  { cookieSecret, nsid, idleMs }: Responder,
  { edns }: Query | Fault,
  source: IpAddress,
  transport: Transport,
  writer: ResponseWriter,
  now: number,
): Responded['cookie'] {
  if (edns === undefined || edns.version !== 0) return 'none';
  if (edns.nsid) writer.option(EDNS_OPTION.NSID, nsid);
  // On TCP and TLS alone (RFC 7828 3.2.1); HTTP has its own.
  if (edns.keepalive && (transport === 'tcp' || transport === 'tls')) {
    const idle = Buffer.alloc(2);
    idle.writeUInt16BE(Math.min(0xffff, Math.floor(idleMs / 100)));
    writer.option(EDNS_OPTION.TCP_KEEPALIVE, idle);
  }
  // In the clear it would hide nothing (RFC 7830 6).
  if (edns.padding && (transport === 'tls' || transport === 'https')) writer.padTo(PADDING_BLOCK);
  if (edns.cookie === undefined) return 'none';
  const { server, answer } = judgeCookie(cookieSecret, edns.cookie, source, now);
  writer.option(EDNS_OPTION.COOKIE, answer);
  return server;
}

/** The largest response that may be sent: what the client takes, and what crosses any network in one piece. */
function limitOf(transport: Transport, edns: Edns | undefined): number {
  if (transport !== 'udp') return MAX_TCP_BYTES;
  return edns ? Math.min(Math.max(edns.udpBytes, PLAIN_UDP_BYTES), MAX_UDP_BYTES) : PLAIN_UDP_BYTES;
}
