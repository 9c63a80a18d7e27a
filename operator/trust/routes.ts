/** What the port answers of trust: the CAs, certificates for those who join or renew, and join tokens for people. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import {
  CA_PATH,
  JOIN_PATH,
  type JoinTokenView,
  joinRequest,
  type NewJoinToken,
  newJoinToken,
  RENEW_PATH,
  renewRequest,
} from '../../contract/stream/join.ts';
import { formatJoinToken } from '../../contract/trust/join-token.ts';
import { readBody, sendJson } from '../publish/bodies.ts';
import { Refusal } from '../publish/refusal.ts';
import { update } from './guarded-store.ts';
import { added, revoked } from './join-tokens.ts';
import { isSame } from './joining.ts';
import { TrustRefusal } from './refusal.ts';
import type { KnownAgent, Trust } from './trust.ts';

export class TrustRoutes {
  readonly #trust: Trust;
  readonly #machineToken: string;

  constructor(trust: Trust, machineToken: string) {
    this.#trust = trust;
    this.#machineToken = machineToken;
  }

  /** Of a request that an agent has to make with its certificate. */
  agent({ socket }: IncomingMessage): KnownAgent {
    if (socket instanceof TLSSocket) return this.#trust.identify(socket);
    throw new TrustRefusal('NoCertificate', 'this connection is in the clear');
  }

  /** Of a request that a person makes, with the token that lies in the state folder. */
  requireMachineToken(request: IncomingMessage): void {
    if (isSame(bearerOf(request), this.#machineToken)) return;
    throw new TrustRefusal('BadToken', 'the bearer token is not the one in the state folder');
  }

  /** False for a route that is not ours. */
  async answer(route: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    switch (route) {
      case `GET ${CA_PATH}`:
        response.writeHead(200, { 'content-type': 'application/x-pem-file' });
        response.end(this.#trust.ca.bundle().pem);
        return true;
      case `POST ${JOIN_PATH}`: {
        const bearer = { token: bearerOf(request), from: addressOf(request) };
        sendJson(response, await this.#trust.joining.join(bearer, await readBody(request, joinRequest)));
        return true;
      }
      case `POST ${RENEW_PATH}`: {
        const { identity } = this.agent(request);
        const { csr } = await readBody(request, renewRequest);
        sendJson(response, await this.#trust.joining.renew(identity, csr));
        return true;
      }
      default:
        return this.#answerTokens(route, request, response);
    }
  }

  async #answerTokens(route: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const [, method, id] = /^(GET|POST|DELETE) \/v1\/join-tokens(?:\/(\w+))?$/.exec(route) ?? [];
    if (method === undefined) return false;
    this.requireMachineToken(request);
    if (method === 'POST')
      sendJson(response, { token: await this.#makeToken(await readBody(request, newJoinToken)) });
    else if (method === 'GET') sendJson(response, { tokens: await this.#listTokens() });
    else await this.#revoke(id ?? '', response);
    return true;
  }

  async #makeToken(asked: NewJoinToken): Promise<string> {
    if (asked.role === 'edge' && asked.node === undefined) {
      throw new Refusal(400, 'a token for an edge names its EdgeNode');
    }
    const id = randomBytes(5).toString('hex').slice(0, 8);
    const secret = randomBytes(32).toString('base64url');
    const now = this.#trust.now();
    await update(this.#trust.tokens, (records = []) => added(records, { id, secret }, asked, now));
    return formatJoinToken({ id, secret, authorities: [...this.#trust.ca.bundle().trusted] });
  }

  async #listTokens(): Promise<JoinTokenView[]> {
    const { value = [] } = await this.#trust.tokens.read();
    return value.map(({ hash: _hash, ...view }) => view);
  }

  async #revoke(id: string, response: ServerResponse): Promise<void> {
    await update(this.#trust.tokens, (records = []) => {
      if (records.some((record) => record.id === id)) return revoked(records, id);
      throw new Refusal(404, `there is no join token ${id}`);
    });
    response.writeHead(204).end();
  }
}

function bearerOf({ headers }: IncomingMessage): string {
  const [, token = ''] = /^Bearer (\S+)$/.exec(headers.authorization ?? '') ?? [];
  return token;
}

/** A socket for both families writes IPv4 in IPv6 (RFC 4291, 2.5.5.2). */
const addressOf = ({ socket }: IncomingMessage) => (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
