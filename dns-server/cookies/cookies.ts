/**
 * DNS cookies (RFC 7873) in the form that all servers of a name can share (RFC 9018): who sends one back is no forged
 * source. Pure but for the secret.
 */
import type { IpAddress } from '../geo/ip-address.ts';
import { sipHash24 } from './siphash.ts';

export const SECRET_BYTES = 16;

const CLIENT_BYTES = 8;
/** Version, three reserved bytes, time, hash (RFC 9018 4). */
const SERVER_BYTES = 16;
const VERSION = 1;

/** Seconds. RFC 9018 4.3: good for an hour, for five minutes of a clock that is ahead, made anew after half an hour. */
const MAX_AGE = 3_600;
const MAX_AHEAD = 300;
const RENEW_AGE = 1_800;

/** The server's half of a cookie: not sent, one of ours for this client, or another. */
export type ServerCookie = 'absent' | 'good' | 'bad';

export interface CookieVerdict {
  server: ServerCookie;
  /** The option's data for the answer. */
  answer: Buffer;
}

/** `cookie` is the option's data: a client cookie, and maybe a server cookie behind it. */
export function judgeCookie(secret: Buffer, cookie: Buffer, source: IpAddress, now: number): CookieVerdict {
  const seconds = Math.floor(now / 1_000);
  const client = cookie.subarray(0, CLIENT_BYTES);
  const given = cookie.subarray(CLIENT_BYTES);
  const age = ageOf(given, seconds);
  const good =
    age !== undefined &&
    age <= MAX_AGE &&
    age >= -MAX_AHEAD &&
    isEqual(given, serverCookie(secret, client, source, seconds - age));
  const keep = good && age <= RENEW_AGE;
  const own = keep ? given : serverCookie(secret, client, source, seconds);
  const server = given.length === 0 ? 'absent' : good ? 'good' : 'bad';
  return { server, answer: Buffer.concat([client, own]) };
}

/** In the same time wherever they differ: a guess must not be told how far it was right. */
function isEqual(a: Buffer, b: Buffer): boolean {
  let difference = a.length ^ b.length;
  for (let at = 0; at < b.length; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0);
  return difference === 0;
}

/** Nothing for what cannot be one of ours. */
function ageOf(server: Buffer, seconds: number): number | undefined {
  if (server.length !== SERVER_BYTES || server[0] !== VERSION) return undefined;
  // Serial arithmetic: the time has 32 bits (RFC 9018 4.3).
  return (seconds - server.readUInt32BE(4)) | 0;
}

export function serverCookie(secret: Buffer, client: Buffer, source: IpAddress, seconds: number): Buffer {
  const head = Buffer.alloc(8);
  head[0] = VERSION;
  head.writeUInt32BE(seconds >>> 0, 4);
  return Buffer.concat([head, sipHash24(secret, Buffer.concat([client, head, source.bytes]))]);
}
