/**
 * The connections of one listener: how many there are, how many each client has, and which was idle for the longest.
 * When there is no room that one is closed for a newcomer (RFC 7766 6.2.3), unless it was in use a moment ago.
 */
import type { Socket } from 'node:net';
import { type IpAddress, unmapped } from '../geo/ip-address.ts';

export interface ConnectionLimits {
  /** Connections at one time. */
  connections: number;
  /** Of them from one IPv4 address, or one IPv6 /64: one client cannot take them all. */
  perClient: number;
}

export interface ConnectionEvents {
  /** A connection was closed at once, since there were too many. */
  onRefused?: () => void;
  /** One that was idle was closed for another. */
  onEvicted?: () => void;
}

/** A connection that was used more lately than this is not idle: between queries of one page, say. */
const IDLE_MS = 500;

interface Connection {
  client: string;
  /** By `performance.now()`. */
  usedAt: number;
}

export class OpenConnections {
  readonly #limits: ConnectionLimits;
  readonly #events: ConnectionEvents;
  /** From the one that was not used for the longest time on. */
  readonly #open = new Map<Socket, Connection>();
  readonly #counts = new Map<string, number>();

  constructor(limits: ConnectionLimits, events: ConnectionEvents) {
    this.#limits = limits;
    this.#events = events;
  }

  /** Whether there is room for it; if not, whoever asks closes it. */
  admit(socket: Socket, source: IpAddress): boolean {
    const client = clientOf(source);
    const count = (this.#counts.get(client) ?? 0) + 1;
    if (count > this.#limits.perClient || (this.#open.size >= this.#limits.connections && !this.#evict())) {
      this.#events.onRefused?.();
      return false;
    }
    this.#counts.set(client, count);
    this.#open.set(socket, { client, usedAt: performance.now() });
    socket.on('close', () => this.#forget(socket));
    return true;
  }

  /** A query came in on it. */
  used(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.usedAt = performance.now();
    this.#open.delete(socket);
    this.#open.set(socket, connection);
  }

  destroyAll(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  #evict(): boolean {
    const [oldest] = this.#open;
    if (oldest === undefined || performance.now() - oldest[1].usedAt < IDLE_MS) return false;
    const [socket] = oldest;
    this.#forget(socket);
    socket.destroy();
    this.#events.onEvicted?.();
    return true;
  }

  #forget(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    this.#open.delete(socket);
    const left = (this.#counts.get(connection.client) ?? 1) - 1;
    if (left === 0) this.#counts.delete(connection.client);
    else this.#counts.set(connection.client, left);
  }
}

/** Whoever has one IPv6 address has its whole /64. */
function clientOf(source: IpAddress): string {
  const { version, bytes } = unmapped(source);
  return (version === 4 ? bytes : bytes.subarray(0, 8)).join('.');
}
