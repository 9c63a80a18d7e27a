/** Asks a resolver which DS a zone's parent has: the one question that the operator asks of the DNS. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { isIPv6 } from 'node:net';
import { type ListenAddress, parseListenAddress } from '../../lib/listen-address.ts';
import type { SeenDs } from './rollover.ts';

const TIMEOUT_MS = 5_000;
const TYPE_DS = 43;
const HEADER_BYTES = 12;
/** RD, and one question. */
const QUERY_HEAD = [0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0] as const;

/** The one of weir.yaml, else the machine's own. */
export function parentResolver(setting: string | undefined): ListenAddress {
  const [system = '127.0.0.1'] = getServers();
  return parseListenAddress(setting ?? system) ?? { host: system, port: 53 };
}

/** Throws when there is no answer. No DS is an empty list. */
export async function askForDs(zone: string, resolver: ListenAddress): Promise<SeenDs> {
  const query = dsQuery(zone, randomInt(65_536));
  const answer = await exchange(query, resolver);
  const seen = readDs(query, answer);
  if (seen === undefined) throw new Error(`${resolver.host} does not tell the DS of ${zone}`);
  return seen;
}

function dsQuery(zone: string, id: number): Buffer {
  const labels = zone.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([
    Buffer.of(id >> 8, id & 0xff, ...QUERY_HEAD),
    ...labels,
    Buffer.of(0, 0, TYPE_DS, 0, 1),
  ]);
}

function exchange(query: Buffer, { host, port }: ListenAddress): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const timer = setTimeout(() => end(() => reject(new Error(`${host} does not answer`))), TIMEOUT_MS);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      socket.close();
      settle();
    };
    socket.once('error', (error) => end(() => reject(error)));
    socket.on('message', (answer) => {
      // Whoever guesses id and port could say anything: the question has to be ours too.
      if (matches(query, answer)) end(() => resolve(answer));
    });
    socket.connect(port, host, () => socket.send(query));
  });
}

function matches(query: Buffer, answer: Buffer): boolean {
  return (
    answer.length >= query.length &&
    answer.readUInt16BE(0) === query.readUInt16BE(0) &&
    answer.subarray(HEADER_BYTES, query.length).equals(query.subarray(HEADER_BYTES))
  );
}

/** Nothing for a truncated or failed answer. */
export function readDs(query: Buffer, answer: Buffer): SeenDs | undefined {
  const flags = answer.readUInt16BE(2);
  const [truncated, rcode] = [(flags & 0x0200) !== 0, flags & 0x0f];
  if (truncated || rcode !== 0) return undefined;
  const seen: SeenDs = { tags: [], ttl: 0 };
  let at = query.length;
  for (let left = answer.readUInt16BE(6); left > 0; left--) {
    const fixed = endOfName(answer, at);
    if (fixed + 10 > answer.length) return undefined;
    const data = fixed + 10;
    at = data + answer.readUInt16BE(fixed + 8);
    if (at > answer.length) return undefined;
    if (answer.readUInt16BE(fixed) !== TYPE_DS || at < data + 2) continue;
    seen.tags.push(answer.readUInt16BE(data));
    seen.ttl = Math.max(seen.ttl, answer.readUInt32BE(fixed + 4));
  }
  return seen;
}

function endOfName(message: Buffer, start: number): number {
  for (let at = start; at < message.length; ) {
    const length = message[at] ?? 0;
    if (length >= 0xc0) return at + 2;
    if (length === 0) return at + 1;
    at += 1 + length;
  }
  return message.length;
}
