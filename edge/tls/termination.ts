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
  /** Ends all connections that it was given, whatever has become of them. */
  closeAll(): void;
}

export interface TerminationParts {
  plans: Pick<Plans, 'current'>;
  certificates: Pick<Certificates, 'get' | 'refuse' | 'version'>;
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
/** In one turn. Ten thousand that came together would hold up all others for a quarter of a second when their time is up. */
const MOST_CUT_OFF = 250;
/** What is one record's head over the largest hello; more waits in vain. */
const MAX_PEEKED_BYTES = MAX_HELLO_BYTES + 1_024;

/** From its begin to its end. */
interface Connection {
  /** `ended`: it has got its refusal, and is not waited for any longer. */
  state: 'handshake' | 'secure' | 'ended';
  since: number;
  onSecure: OnSecure;
  peeked: Buffer | undefined;
  domain: DomainServer | undefined;
}

export function createTermination(parts: TerminationParts): Termination {
  const { plans, certificates, ticketKey, defaultDomain, handshakeMs, onLimit, onHandshake } = parts;
  const connections = new Map<Socket, Connection>();
  const servers = createTlsServers(certificates, { ticketKey, onMade: follow });
  const looking = setInterval(look, LOOK_EVERY_MS).unref();

  function peek(this: Socket, read: Buffer): void {
    const connection = connections.get(this);
    if (connection === undefined) return;
    const bytes = connection.peeked === undefined ? read : Buffer.concat([connection.peeked, read]);
    connection.peeked = bytes;
    const hello = readClientHello(bytes);
    if (hello.kind === 'incomplete') {
      if (bytes.length > MAX_PEEKED_BYTES) refuse(this, 'failed', ALERTS.decodeError);
    } else if (hello.kind === 'invalid') {
      if (hello.text) answerPlain(this);
      else refuse(this, 'notTls', ALERTS.decodeError);
    } else shakeHands(this, connection, bytes, hello.serverName);
  }

  function shakeHands(socket: Socket, connection: Connection, bytes: Buffer, name: string): void {
    const domain = domainFor(name);
    const server = domain && servers.of(domain);
    if (domain === undefined) refuse(socket, 'unknownName', ALERTS.unrecognizedName);
    else if (server === undefined) refuse(socket, 'noCertificate', ALERTS.internalError);
    else {
      socket.off('data', peek);
      socket.pause();
      connection.peeked = undefined;
      connection.domain = server;
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
      const connection = raw && connections.get(raw);
      if (raw === undefined || connection?.domain === undefined || connection.state !== 'handshake') {
        socket.destroy();
        return;
      }
      connection.state = 'secure';
      onHandshake(socket.isSessionReused() ? 'resumed' : 'full', socket.getProtocol() ?? '');
      connection.onSecure(socket, secureConnection(raw, socket, connection.domain));
    });
    server.on('tlsClientError', (_error, socket) => {
      const raw = rawOf(socket);
      const connection = raw && connections.get(raw);
      if (connection?.state === 'handshake') {
        connection.state = 'ended';
        onHandshake('failed', '');
      }
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
    const connection = connections.get(socket);
    if (connection !== undefined) {
      connection.state = 'ended';
      connection.since = -handshakeMs + performance.now() + LOOK_EVERY_MS;
    }
    socket.off('data', peek);
    socket.resume();
    socket.end(bytes);
  }

  /** One timer for all: a client that sends a byte now and then is no less slow. */
  function look(): void {
    const now = performance.now();
    let left = MOST_CUT_OFF;
    for (const [socket, { state, since }] of connections) {
      if (state === 'secure' || now - since < handshakeMs) continue;
      if (left === 0) {
        setImmediate(look);
        return;
      }
      left -= 1;
      connections.delete(socket);
      socket.destroy();
      if (state === 'ended') continue;
      onLimit('handshakeTime');
      onHandshake('timeout', '');
    }
  }

  function forget(this: Socket): void {
    connections.delete(this);
  }

  return {
    accept(socket, onSecure) {
      const since = performance.now();
      connections.set(socket, { state: 'handshake', since, onSecure, peeked: undefined, domain: undefined });
      // As in https.Server: TLS has no half of a connection that stays open, and HTTP/2 would wait for its end for ever.
      socket.allowHalfOpen = false;
      socket.on('error', ignore);
      socket.on('close', forget);
      socket.on('data', peek);
    },
    useTicketKey: (key) => servers.useTicketKey(key),
    stop() {
      clearInterval(looking);
      for (const [socket, { state }] of connections) if (state !== 'secure') socket.destroy();
    },
    closeAll() {
      for (const socket of connections.keys()) socket.destroy();
    },
  };
}

/** A connection that breaks is closed, and that is heard. */
function ignore(): void {}

/** `_parent` is not documented. Where there is none, no connection over TLS is served, and tests say so. */
function rawOf(socket: TLSSocket): Socket | undefined {
  const parent: unknown = Reflect.get(socket, '_parent');
  return parent === undefined ? undefined : (parent as Socket);
}
