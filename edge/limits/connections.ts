/** How many connections one client may have. Behind one IPv6 /64 is one household or one machine, whatever it says. */
import { isIPv6, type Socket } from 'node:net';
import type { Limits, OnLimit } from './limits.ts';

const REFUSAL =
  'HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 10\r\nContent-Length: 33\r\n\r\ntoo many connections of one host\n';

/** Clients come again, and to read an address costs more than to remember what it is. */
const KNOWN_ADDRESSES = 10_000;

/** Says whether a new connection may stay; one that may not is answered, where it reads plain HTTP, and closed. */
export type AdmitConnection = (socket: Socket, speaks: 'http' | 'https') => boolean;

export function createConnectionLimit(
  { connectionsPerClient, exempt }: Pick<Limits, 'connectionsPerClient' | 'exempt'>,
  onLimit: OnLimit,
): AdmitConnection {
  const open = new Map<string, number>();
  const known = new Map<string, string | undefined>();

  /** Nothing where it is exempt. */
  function clientAt(remoteAddress: string): string | undefined {
    if (known.has(remoteAddress)) return known.get(remoteAddress);
    const address = plainAddress(remoteAddress);
    const client = exempt.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') ? undefined : clientOf(address);
    if (known.size >= KNOWN_ADDRESSES) known.clear();
    known.set(remoteAddress, client);
    return client;
  }

  return function admit(socket, speaks) {
    const client = clientAt(socket.remoteAddress ?? '');
    if (client === undefined) return true;
    const count = (open.get(client) ?? 0) + 1;
    if (count > connectionsPerClient) {
      onLimit('connectionsPerClient');
      if (speaks === 'http') refuse(socket);
      else socket.destroy();
      return false;
    }
    open.set(client, count);
    socket.once('close', () => {
      const left = (open.get(client) ?? 1) - 1;
      if (left === 0) open.delete(client);
      else open.set(client, left);
    });
    return true;
  };
}

function refuse(socket: Socket): void {
  socket.on('error', () => {});
  // What it sent is read and dropped: a reset in place of the end would take the answer with it.
  socket.resume();
  socket.end(REFUSAL);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

const LINGER_MS = 1_000;

/** An IPv4 client of an IPv6 socket is one; a zone is of this machine. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}

/** The first half of an IPv6 address, or the whole of an IPv4 one. */
export function clientOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array(gap).fill('0'), ...last].slice(0, 4).join(':');
}
