/** A plain request as the pipeline takes it, and its answer as `send` writes it, both on the socket itself. */
import type { Socket } from 'node:net';
import type { ClientRequest } from '../exchange.ts';
import { plainAddress } from '../limits/connections.ts';
import type { SecureConnection } from '../tls/secure-connection.ts';
import { goneSignal } from './gone.ts';
import type { HeadFields, PlainRequest } from './plain-request.ts';
import type { PlainResponse } from './plain-response.ts';
import type { Outgoing } from './send.ts';

export function clientRequest(
  { method, url }: PlainRequest,
  { headers, rawHeaders }: HeadFields,
  {
    socket,
    secure,
    response,
  }: {
    socket: Socket;
    secure: SecureConnection | undefined;
    response: PlainResponse;
  },
): ClientRequest {
  return {
    method,
    url,
    headers,
    rawHeaders,
    clientAddress: plainAddress((secure?.raw ?? socket).remoteAddress ?? ''),
    httpVersion: '1.1',
    scheme: secure === undefined ? 'http' : 'https',
    secure,
    body: undefined,
    interim(status, fields) {
      // A fetch for the cache may outlive the request that began it.
      if (!response.destroyed) response.writeInterim(status, fields);
    },
    gone: goneSignal(response),
  };
}

export function outgoingTo(
  socket: Socket,
  response: PlainResponse,
  onSent: (bytes: number) => void,
): Outgoing {
  return {
    stream: response,
    head(status, headers) {
      response.writeHead(status, headers);
      return true;
    },
    flushHead: () => response.flushHead(),
    socket,
    onSent,
  };
}
