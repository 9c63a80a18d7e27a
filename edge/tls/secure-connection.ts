/** What is known of a connection over TLS, for who answers requests on it. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ServedDomain } from '../plan/served-plan.ts';
import type { DomainServer } from './tls-servers.ts';

export interface SecureConnection {
  /** Below TLS: its bytes are those that have left. */
  raw: Socket;
  /** The domain that the client asked for by name. */
  uid: string;
  /** Whether requests for this host may come on it (RFC 9110 7.4). */
  mayServe(host: string, domain: ServedDomain | undefined): boolean;
}

/** A browser that reuses a connection for other hosts names a few; who tries out names finds no room for them. */
const MOST_HOSTS = 100;

export function secureConnection(
  raw: Socket,
  socket: TLSSocket,
  { uid, certificates }: DomainServer,
): SecureConnection {
  let covered: Map<string, boolean> | undefined;
  const covers = (host: string) => {
    covered ??= new Map();
    const known = covered.get(host);
    if (known !== undefined) return known;
    // Which of them the client saw is OpenSSL's choice.
    const is = certificates.every((certificate) => certificate.covers(host));
    if (covered.size < MOST_HOSTS) covered.set(host, is);
    return is;
  };
  return {
    raw,
    uid,
    mayServe(host, domain) {
      if (domain !== undefined && domain.uid === uid) return true;
      if (!covers(host)) return false;
      if (domain === undefined) return true;
      // What the other domain asks of a connection holds for this one too.
      return (
        domain.tls !== undefined && (domain.tls.minVersion === '1.2' || socket.getProtocol() === 'TLSv1.3')
      );
    },
  };
}
