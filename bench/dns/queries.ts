/**
 * Queries as dnsperf -B reads them: messages behind their length in two bytes. Made from a seed, so that two runs ask
 * the same; each ECS query carries another random /24.
 */
import { writeFile } from 'node:fs/promises';
import type { World } from './world.ts';

const QUERIES = 200_000;

export interface Asking {
  /** Each query has a client subnet. */
  ecs: boolean;
  /** Signatures are wanted. */
  dnssec: boolean;
  /** Each query has this cookie. */
  cookie?: Buffer | undefined;
}

export async function writeQueries(file: string, world: World, asking: Asking): Promise<void> {
  await writeFile(file, Buffer.concat([...queriesFor(world, asking, QUERIES)].map(framed)));
}

export function* queriesFor(
  { names }: World,
  { ecs, dnssec, cookie }: Asking,
  count: number,
): Generator<Buffer> {
  const random = randomFrom(1);
  for (let made = 0; made < count; made++) {
    const name = names[Math.floor(random() * names.length)] ?? '';
    const network = [1 + random() * 222, random() * 256, random() * 256];
    const message = query(name, ecs ? Buffer.from(network) : undefined);
    if (dnssec) message[message.indexOf(OPT) + DO_AT] = 0x80;
    yield cookie ? withCookie(message, cookie) : message;
  }
}

/** Size 1232, one option of 11 bytes: client subnet, family 1, /24. */
const OPT = Buffer.from('00002904d000000000000b0008000700011800', 'hex');
const DO_AT = 7;
/** Where behind the start of OPT the length of its options stands. */
const OPTIONS_LENGTH_AT = 9;
/** The option's code. */
const COOKIE = 10;
export const CLIENT_COOKIE = Buffer.from('2464c4abcf10c957', 'hex');

function query(name: string, network: Buffer | undefined): Buffer {
  const header = Buffer.from('000000000001000000000000', 'hex');
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  const question = Buffer.concat([...labels, Buffer.of(0, 0, 1, 0, 1)]);
  if (network === undefined) return Buffer.concat([header, question]);
  header[11] = 1;
  return Buffer.concat([header, question, OPT, network]);
}

/** Behind the client subnet that the message ends in. */
export function withCookie(message: Buffer, cookie: Buffer): Buffer {
  const length = message.lastIndexOf(OPT) + OPTIONS_LENGTH_AT;
  const header = Buffer.of(0, COOKIE, 0, cookie.length);
  const longer = Buffer.concat([message, header, cookie]);
  longer.writeUInt16BE(message.readUInt16BE(length) + header.length + cookie.length, length);
  return longer;
}

/** A cookie as the server gives it to who has none, to be sent back to it. */
export function cookieIn(answer: Buffer): Buffer {
  const at = answer.lastIndexOf(CLIENT_COOKIE);
  if (at < 4 || answer[at - 3] !== COOKIE) throw new Error('no cookie in the answer');
  return answer.subarray(at, at + answer.readUInt16BE(at - 2));
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message]);
}

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
