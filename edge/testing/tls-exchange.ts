/** A client over TLS: one connection, one request, and all that is known of both. */
import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

export interface SecureReply {
  /** All that came, as one text. */
  text: string;
  status: number;
  version: string | null;
  resumed: boolean;
  /** `EC` or `RSA`. */
  keyType: string | undefined;
  serial: string | undefined;
  /** To come back with. */
  session: Buffer | undefined;
}

export async function openSecure(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ...options });
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

/** Rejects where there is no handshake. */
export async function secureExchange(
  port: number,
  options: ConnectionOptions,
  request = `GET /a HTTP/1.1\r\nHost: ${options.servername ?? 'video.example.com'}\r\nConnection: close\r\n\r\n`,
): Promise<SecureReply> {
  let session: Buffer | undefined;
  const socket = connect({ host: '127.0.0.1', port, ...options });
  socket.on('session', (ticket) => {
    session = ticket;
  });
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  const version = socket.getProtocol();
  const resumed = socket.isSessionReused();
  const certificate = socket.getPeerX509Certificate();
  const keyType = certificate?.publicKey.asymmetricKeyType?.toUpperCase();
  const serial = certificate?.serialNumber;
  socket.write(request);
  let text = '';
  socket.on('data', (data) => {
    text += data.toString('latin1');
  });
  await once(socket, 'close');
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);
  return { text, status, version, resumed, keyType, serial, session };
}
