/**
 * A `tls.Server` for each domain that clients shake hands with. None of them listens: connections are put into the one
 * whose name the client asked for (termination.ts), so that each domain has its own certificates (one for each type of
 * key, of which OpenSSL chooses by what the client takes), lowest version and sessions. Node's SNICallback could give
 * only one certificate, and no version.
 */
import { createHash, constants as crypto } from 'node:crypto';
import { createSecureContext, createServer, type Server } from 'node:tls';
import type { ServedDomain } from '../plan/served-plan.ts';
import type { Certificate, Certificates } from './certificates.ts';
import { TICKET_KEY_LIFETIME_S, type TicketKey } from './ticket-key.ts';

export interface DomainServer {
  uid: string;
  server: Server;
  certificates: readonly Certificate[];
}

export interface TlsServers {
  /** Nothing where the domain has no certificate here. */
  of(domain: ServedDomain): DomainServer | undefined;
  /** From the next handshake on. */
  useTicketKey(key: TicketKey): void;
}

interface Made extends DomainServer {
  /** What it was made for, or found to be right for. */
  tls: ServedDomain['tls'];
  version: number;
  wasUsed: boolean;
}

/** Some 35 KB each; one that is not among them is made anew in less time than its handshake takes. */
const MOST_SERVERS = 2_000;
/** Forward secrecy and authenticated encryption alone: what Mozilla's guidelines call intermediate. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
/** Nobody renegotiates but those who want to cost us handshakes; TLS 1.3 has none. */
const OPTIONS = crypto.SSL_OP_NO_RENEGOTIATION;

export function createTlsServers(
  certificates: Pick<Certificates, 'get' | 'refuse' | 'version'>,
  {
    ticketKey,
    onMade,
  }: {
    ticketKey: TicketKey;
    /** Before it takes its first connection. */
    onMade: (server: Server) => void;
  },
): TlsServers {
  /** By domain, in the order in which they were made, or looked at last to make room. */
  const made = new Map<string, Made>();
  let ticketKeys = Buffer.from(ticketKey, 'base64');

  function make(uid: string, own: readonly Certificate[], minVersion: '1.2' | '1.3'): DomainServer {
    const server = createServer({
      key: own.map(({ key }) => key),
      cert: own.map(({ chain }) => chain),
      // Node would load the system's CAs for each, and clients show us no certificates.
      ca: own.map(({ chain }) => chain),
      minVersion: `TLSv${minVersion}`,
      ciphers: CIPHERS,
      secureOptions: OPTIONS,
      ALPNProtocols: ['h2', 'http/1.1'],
      // None: who hands the connections over looks after their time, and a timer for each has its price.
      handshakeTimeout: -1,
      ticketKeys,
      sessionTimeout: TICKET_KEY_LIFETIME_S,
      // A session of one domain is none of another one's. OpenSSL takes 32 characters at most.
      sessionIdContext: createHash('sha256').update(uid).digest('hex').slice(0, 32),
    });
    onMade(server);
    return { uid, server, certificates: own };
  }

  /** Without those that OpenSSL takes no key of: it throws, and a stranger's handshake must not be what ends the edge. */
  function makeOfUsable(uid: string, own: readonly Certificate[], minVersion: '1.2' | '1.3') {
    try {
      return make(uid, own, minVersion);
    } catch (error) {
      const usable = own.filter(isUsable);
      // Where each is by itself, none is: the same would be tried at every handshake.
      const left = usable.length < own.length ? usable : [];
      for (const each of own) if (!left.includes(each)) certificates.refuse(each, error);
      return left.length > 0 ? make(uid, left, minVersion) : undefined;
    }
  }

  /** What was used since the last look stays (CLOCK). */
  function makeRoom(): void {
    for (const [uid, server] of made) {
      if (made.size <= MOST_SERVERS) return;
      made.delete(uid);
      if (server.wasUsed) made.set(uid, { ...server, wasUsed: false });
    }
  }

  return {
    of({ uid, tls }) {
      if (tls === undefined) return undefined;
      const { version } = certificates;
      const known = made.get(uid);
      if (known?.tls === tls && known.version === version) {
        known.wasUsed = true;
        return known;
      }
      const own = tls.certificates.flatMap(({ secret }) => certificates.get(secret) ?? []);
      if (own.length === 0) return undefined;
      const isSame =
        known !== undefined &&
        known.tls?.minVersion === tls.minVersion &&
        known.certificates.length === own.length &&
        own.every((certificate, index) => certificate === known.certificates[index]);
      const server = isSame ? known : makeOfUsable(uid, own, tls.minVersion);
      if (server === undefined) return undefined;
      const current = { ...server, tls, version, wasUsed: true };
      made.set(uid, current);
      makeRoom();
      return current;
    },
    useTicketKey(key) {
      ticketKeys = Buffer.from(key, 'base64');
      for (const { server } of made.values()) server.setTicketKeys(ticketKeys);
    },
  };
}

function isUsable({ chain, key }: Certificate): boolean {
  try {
    createSecureContext({ cert: chain, key, ca: chain });
    return true;
  } catch {
    return false;
  }
}
