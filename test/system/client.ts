/** What a client does from outside: one DNS question with a client subnet, one HTTP request to one edge. */
import { createSocket } from 'node:dgram';
import { request } from 'node:http';
import { decode, encode, type OptAnswer, type Packet } from 'dns-packet';
import type { System } from './programs.ts';

export const CNAME = 'video.demo.cdn.example.net';

/** Client addresses whose region the embedded geo data knows. */
export const CLIENTS = {
  zhengzhou: '202.102.224.68',
  beijing: '202.106.0.20',
  california: '8.8.8.8',
} as const;

/** A whole DNS answer over UDP, from a dns-server of this machine. */
export const dig = (port: number, name: string, client?: string, type: 'A' | 'SOA' = 'A') =>
  ask({ host: '127.0.0.1', port }, name, client, type);

/** A whole DNS answer over UDP; rejects after two seconds of silence. */
export function ask(
  server: { host: string; port: number },
  name: string,
  client?: string,
  type: 'A' | 'SOA' = 'A',
): Promise<Packet> {
  const query = encode({
    type: 'query',
    id: Math.floor(Math.random() * 65_536),
    questions: [{ type, name }],
    ...(client && { additionals: [withClientSubnet(client)] }),
  });
  const socket = createSocket('udp4');
  return new Promise<Packet>((resolve, reject) => {
    const silence = setTimeout(() => reject(new Error(`no answer for ${name}`)), 2_000);
    socket.once('error', reject);
    socket.once('message', (message) => {
      clearTimeout(silence);
      resolve(decode(message));
    });
    socket.send(query, server.port, server.host);
  }).finally(() => socket.close());
}

function withClientSubnet(ip: string): OptAnswer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [{ code: 8, family: 1, sourcePrefixLength: 24, scopePrefixLength: 0, ip }],
  };
}

/** Addresses of an answer, sorted. */
export async function addresses(port: number, client: string, name: string = CNAME): Promise<string[]> {
  const { answers = [] } = await dig(port, name, client);
  return answers.flatMap((answer) => (answer.type === 'A' ? [answer.data] : [])).sort();
}

export interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** One GET to one edge, with the domain's Host header, on a connection of its own. */
export function get(
  { ports }: Pick<System, 'ports'>,
  address: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = {
      host: address,
      port: ports.http,
      path,
      headers: { host: 'video.example.com', ...headers },
      agent: false,
    };
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.setTimeout(5_000, () => outgoing.destroy(new Error(`no answer from ${address}${path}`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** For how many seconds a browser may keep the answer from now: the Age that it takes off is in `max-age` too. */
export function keptByBrowsers({ headers }: Reply): number {
  const [, maxAge] = /max-age=(\d+)/.exec(String(headers['cache-control'])) ?? [];
  return Number(maxAge) - Number(headers.age ?? 0);
}
