/** Asks a DNS server as another implementation would: messages by dns-packet, over a real socket or none. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import dnsPacket, { type DecodedPacket, type Packet } from 'dns-packet';
import type { ListenAddress } from '../../lib/listen-address.ts';

export interface Asked {
  type?: string;
  class?: string;
  edns?: Record<string, unknown> | undefined;
  /** `202.102.224.0/24` */
  subnet?: string;
  id?: number;
}

export function queryBytes(
  name: string,
  { type = 'A', class: kind = 'IN', edns, subnet, id = 4_711 }: Asked = {},
) {
  const options = subnet === undefined ? [] : [subnetOption(subnet)];
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 1_232, flags: 0, options, ...edns };
  const packet = {
    type: 'query',
    id,
    questions: [{ type, name, class: kind }],
    additionals: edns || subnet !== undefined ? [opt] : [],
  };
  // dns-packet's types know neither every question's type nor an OPT made by hand.
  return dnsPacket.encode(packet as unknown as Packet);
}

function subnetOption(subnet: string) {
  const [ip, length] = subnet.split('/');
  return { code: 'CLIENT_SUBNET', ip, sourcePrefixLength: Number(length) };
}

export type Decoded = DecodedPacket & { rcode: string; opcode: string };

export function decode(bytes: Buffer): Decoded {
  // These two are missing in the types.
  return dnsPacket.decode(bytes) as Decoded;
}

/** `A 198.51.100.1 60` for each record, OPT apart. */
export function lines(records: readonly unknown[] | undefined): string[] {
  return (records ?? [])
    .map((record) => record as { type: string; name: string; ttl: number; data: unknown })
    .filter(({ type }) => type !== 'OPT')
    .map(({ type, ttl, data }) => `${type} ${typeof data === 'string' ? data : JSON.stringify(data)} ${ttl}`);
}

export interface Opt {
  flags: number;
  udpPayloadSize: number;
  extendedRcode: number;
  ednsVersion: number;
  flag_do: boolean;
  options: {
    type?: string;
    code: number;
    scopePrefixLength?: number;
    sourcePrefixLength?: number;
    data?: Buffer;
  }[];
}

export function optOf({ additionals = [] }: DecodedPacket): Opt | undefined {
  const records: readonly unknown[] = additionals;
  return records.find(isOpt);
}

/** The library's types do not know it. */
export function isOpt(record: unknown): record is Opt {
  return typeof record === 'object' && record !== null && 'type' in record && record.type === 'OPT';
}

/** The scope that came back with the client's subnet. */
export function scopeIn(packet: DecodedPacket): number | undefined {
  return optOf(packet)?.options.find(({ code }) => code === 8)?.scopePrefixLength;
}

/** Sends one datagram; resolves with the answer from where it was sent to, or with nothing after `silenceMs`. */
export function askUdp(
  { host, port }: ListenAddress,
  message: Buffer,
  silenceMs = 5_000,
): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (answer: Buffer | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => end(undefined), silenceMs);
    socket.once('message', end);
    socket.once('error', (error) => {
      reject(error);
      end(undefined);
    });
    // Connected, as resolvers have it: what comes from another address is not heard.
    socket.connect(port, host, () => socket.send(message));
  });
}

/** Writes these chunks to one connection; resolves with `count` answers, or those that came before it was closed. */
export function askTcp(
  { host, port }: ListenAddress,
  chunks: readonly Buffer[],
  count: number,
): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    let held = Buffer.alloc(0);
    const answers: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        answers.push(held.subarray(2, end));
        held = held.subarray(end);
      }
      if (answers.length >= count) socket.destroy();
    });
    socket.on('close', () => resolve(answers));
    socket.on('error', reject);
    void writeOneByOne(socket, chunks);
  });
}

/** Each chunk is on its way before the next is written, so that the server sees them apart. */
async function writeOneByOne(socket: ReturnType<typeof connect>, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) {
    await new Promise<void>((resolve) => socket.write(chunk, () => setImmediate(resolve)));
  }
}

export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
