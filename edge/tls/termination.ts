/**
 * From a connection to one over TLS: the name is read from its first bytes, they are put back, and the domain's server
 * takes it from there. What asks for no name of ours gets an alert and no handshake.
 *
 *     socket ──first bytes──> name ──plan──> domain ──> its tls.Server ──handshake──> onSecure
 *                               └── none, or not ours ──> alert
 */
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { memo } from '../../lib/memo.ts';
import type { OnLimit } from '../limits/limits.ts';
import type { Plans } from '../plan/plans.ts';
import type { ServedDomain, ServedPlan } from '../plan/served-plan.ts';
import type { Certificates } from './certificates.ts';
import { MAX_HELLO_BYTES, readClientHello } from './client-hello.ts';
import { type SecureConnection, secureConnection } from './secure-connection.ts';
import type { TicketKey } from './ticket-key.ts';
import { createTlsServers, type DomainServer } from './tls-servers.ts';

export type OnSecure = (socket: TLSSocket, secure: SecureConnection) => void;

/** As `weir_edge_tls_handshakes_total` names what became of one. */
export type HandshakeResult =
  | 'full'
  | 'resumed'
  | 'unknownName'
  | 'noCertificate'
  | 'notTls'
  | 'timeout'
  | 'failed';

export interface Termination {
  accept(socket: Socket, onSecure: OnSecure): void;
  useTicketKey(key: TicketKey): void;
  /** Ends the handshakes under way: their clients have asked for nothing yet. */
  stop(): void;
}

export interface TerminationParts {
  plans: Pick<Plans, 'current'>;
  certificates: Pick<Certificates, 'get'>;
  ticketKey: TicketKey;
  /** `namespace/name`; see weir.yaml. */
  defaultDomain: string | undefined;
  handshakeMs: number;
  onLimit: OnLimit;
  onHandshake: (result: HandshakeResult, version: string) => void;
}

/** RFC 8446 6.2. */
const ALERTS = { decodeError: 50, internalError: 80, unrecognizedName: 112 } as const;
const PLAIN_ANSWER =
  'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 39\r\n\r\nthis port speaks HTTPS, and not HTTP..\n';
const LOOK_EVERY_MS = 1_000;
/** What is one record's head over the largest hello; more waits in vain. */
const MAX_PEEKED_BYTES = MAX_HELLO_BYTES + 1_024;

interface Pending {
  since: number;
  onSecure: OnSecure;
  peeked: Buffer | undefined;
  domain: DomainServer | undefined;
}

export function createTermination(parts: TerminationParts): Termination {
  const { plans, certificates, ticketKey, defaultDomain, handshakeMs, onLimit, onHandshake } = parts;
  const pending = new Map<Socket, Pending>();
  const servers = createTlsServers(certificates, { ticketKey, handshakeMs, onMade: follow });
  const looking = setInterval(look, LOOK_EVERY_MS).unref();

  function peek(this: Socket): void {
    const waiting = pending.get(this);
    const read: Buffer | null = this.read();
    if (waiting === undefined || read === null) return;
    const bytes = waiting.peeked === undefined ? read : Buffer.concat([waiting.peeked, read]);
    waiting.peeked = bytes;
    const hello = readClientHello(bytes);
    if (hello.kind === 'incomplete') {
      if (bytes.length > MAX_PEEKED_BYTES) refuse(this, 'failed', ALERTS.decodeError);
    } else if (hello.kind === 'invalid') {
      if (hello.text) answerPlain(this);
      else refuse(this, 'notTls', ALERTS.decodeError);
    } else shakeHands(this, waiting, bytes, hello.serverName);
  }

  function shakeHands(socket: Socket, waiting: Pending, bytes: Buffer, name: string): void {
    const domain = domainFor(name);
    const server = domain && servers.of(domain);
    if (domain === undefined) refuse(socket, 'unknownName', ALERTS.unrecognizedName);
    else if (server === undefined) refuse(socket, 'noCertificate', ALERTS.internalError);
    else {
      stopPeeking(socket);
      waiting.peeked = undefined;
      waiting.domain = server;
      // As in https.Server: TLS has no half of a connection that stays open, and HTTP/2 would wait for its end for ever.
      socket.allowHalfOpen = false;
      socket.unshift(bytes);
      server.server.emit('connection', socket);
    }
  }

  const byDefault = memo((plan: ServedPlan) =>
    [...plan.byUid.values()].find(({ label }) => label === defaultDomain),
  );

  function domainFor(name: string): ServedDomain | undefined {
    const plan = plans.current();
    const found = plan?.byHost.get(name);
    return found?.tls === undefined ? plan && byDefault(plan) : found;
  }

  function follow(server: Server): void {
    server.on('secureConnection', (socket) => {
      const raw = rawOf(socket);
      const waiting = raw && pending.get(raw);
      if (raw === undefined || waiting?.domain === undefined) {
        socket.destroy();
        return;
      }
      pending.delete(raw);
      raw.off('close', forget);
      onHandshake(socket.isSessionReused() ? 'resumed' : 'full', socket.getProtocol() ?? '');
      waiting.onSecure(socket, secureConnection(raw, socket, waiting.domain));
    });
    server.on('tlsClientError', (_error, socket) => {
      const raw = rawOf(socket);
      // Its time was up, or it went before it had begun.
      if (raw !== undefined && pending.delete(raw)) onHandshake('failed', '');
      socket.destroy();
    });
  }

  function refuse(socket: Socket, result: HandshakeResult, alert: number): void {
    onHandshake(result, '');
    end(socket, Buffer.from([21, 3, 3, 0, 2, 2, alert]));
  }

  function answerPlain(socket: Socket): void {
    onHandshake('notTls', '');
    end(socket, PLAIN_ANSWER);
  }

  /** What follows is read and dropped, for a moment: a reset in place of the end would take the answer with it. */
  function end(socket: Socket, bytes: Buffer | string): void {
    stopPeeking(socket);
    const waiting = pending.get(socket);
    if (waiting !== undefined) waiting.since = -handshakeMs + performance.now() + LOOK_EVERY_MS;
    ended.add(socket);
    socket.resume();
    socket.end(bytes);
  }

  const ended = new WeakSet<Socket>();

  function stopPeeking(socket: Socket): void {
    socket.off('readable', peek);
    socket.off('end', onEnd);
  }

  /** One timer for all: a client that sends a byte now and then is no less slow. */
  function look(): void {
    const now = performance.now();
    for (const [socket, { since }] of pending) {
      if (now - since < handshakeMs) continue;
      pending.delete(socket);
      socket.destroy();
      if (ended.has(socket)) continue;
      onLimit('handshakeTime');
      onHandshake('timeout', '');
    }
  }

  function forget(this: Socket): void {
    pending.delete(this);
  }

  return {
    accept(socket, onSecure) {
      pending.set(socket, { since: performance.now(), onSecure, peeked: undefined, domain: undefined });
      socket.on('error', ignore);
      socket.on('close', forget);
      socket.on('end', onEnd);
      socket.on('readable', peek);
    },
    useTicketKey: (key) => servers.useTicketKey(key),
    stop() {
      clearInterval(looking);
      for (const socket of pending.keys()) socket.destroy();
    },
  };
}

/** A connection that breaks is closed, and that is heard. */
function ignore(): void {}

function onEnd(this: Socket): void {
  this.destroy();
}

/** `_parent` is not documented. Where there is none, no connection over TLS is served, and tests say so. */
function rawOf(socket: TLSSocket): Socket | undefined {
  const parent: unknown = Reflect.get(socket, '_parent');
  return parent === undefined ? undefined : (parent as Socket);
}
