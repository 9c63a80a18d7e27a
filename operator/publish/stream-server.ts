/**
 * The operator's HTTP port: the plan stream and reports for agents, views for the `weir` command, and the admin paths.
 * Sockets only; what to send and what a report means is decided elsewhere.
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import {
  CONTRACT_VERSIONS,
  HEARTBEAT_MS,
  REPORTS_PATH,
  type Report,
  type Role,
  reports,
  role,
  STREAM_PATH,
  type StreamMessage,
} from '../../contract/stream/messages.ts';
import {
  FORCE_PATH,
  type ForceRequest,
  forceRequest,
  RESOURCES_PATH,
  type ResourcesView,
  ROUTING_PATH,
  type RoutingView,
} from '../../contract/stream/operator-api.ts';
import { type AdminOptions, answerAdmin } from '../../lib/admin-server.ts';
import type { Clock } from '../../lib/clock.ts';
import { listen } from '../../lib/listen.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { ndjsonLine } from '../../lib/ndjson.ts';
import { type AgentIdentity, Session } from './session.ts';

const MAX_REPORT_BYTES = 16 * 2 ** 20;
/** An agent that reads no more is cut off when this lies in wait for it, and begins anew: tables must not pile up. */
const MAX_BACKLOG_BYTES = 64 * 2 ** 20;

/** What the agents' requests lead to. */
export interface StreamEvents {
  /** The epoch to greet with; a refusal is thrown. Resolves before anything else is sent to the agent. */
  connecting(agent: AgentIdentity & { seen: number; run: string }): Promise<number>;
  connected(session: Session, held: Revision): void;
  disconnected(agent: AgentIdentity): void;
  reported(agent: AgentIdentity, report: Report): void;
  /** Resolves when it is durable. */
  force(request: ForceRequest): Promise<void>;
  resources(): ResourcesView;
  /** Nothing before the first plan. */
  routing(): RoutingView | undefined;
}

export interface StreamServerOptions extends Pick<AdminOptions, 'metrics' | 'notReady'> {
  listen: ListenAddress;
  token: string;
  events: StreamEvents;
  clock: Clock;
  log: Log;
}

/** Refused with this status and text. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const streamQuery = z.object({
  role,
  node: z.string().min(1).max(253),
  epoch: z.coerce.number().int().min(0),
  seq: z.coerce.number().int().min(0),
  seen: z.coerce.number().int().min(0).default(0),
  run: z.string().max(64).default(''),
  contract: z.string().transform((text) => text.split(',').map(Number)),
});

export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #server: Server;
  readonly #sessions = new Map<string, Session>();
  #stopHeartbeat = () => {};

  constructor(options: StreamServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => this.#fail(request, response, error));
    });
  }

  async start(): Promise<ListenAddress> {
    const bound = await listen(this.#server, this.#options.listen);
    this.#stopHeartbeat = this.#options.clock.every(HEARTBEAT_MS, () => {
      for (const session of this.#sessions.values()) {
        session.send({ type: 'heartbeat' });
        session.retry();
      }
    });
    return bound;
  }

  async stop(): Promise<void> {
    this.#stopHeartbeat();
    for (const session of this.#sessions.values()) session.end();
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  offerPlan(to: Role, plan: PublishedPlan): void {
    for (const session of this.#sessions.values()) if (session.identity.role === to) session.offer(plan);
  }

  /** To all agents of a role, or to one of them; an agent that is not connected hears it when it is. */
  send(to: Role, message: StreamMessage, node?: string): void {
    for (const session of this.#sessions.values()) {
      const { identity } = session;
      if (identity.role === to && (node === undefined || identity.node === node)) session.send(message);
    }
  }

  end(role: Role, node: string): void {
    this.#sessions.get(`${role}/${node}`)?.end();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://operator');
    if (answerAdmin(url.pathname, response, this.#options)) return;
    this.#authenticate(request);
    switch (`${request.method} ${url.pathname}`) {
      case `GET ${STREAM_PATH}`:
        return this.#openStream(url, request, response);
      case `POST ${REPORTS_PATH}`:
        return this.#takeReports(request, response);
      case `POST ${FORCE_PATH}`:
        await this.#options.events.force(await readBody(request, forceRequest));
        return void response.writeHead(204).end();
      case `GET ${RESOURCES_PATH}`:
        return sendJson(response, this.#options.events.resources());
      case `GET ${ROUTING_PATH}`: {
        const view = this.#options.events.routing();
        if (!view) throw new Refusal(503, 'no plan has been published yet');
        return sendJson(response, view);
      }
      default:
        throw new Refusal(404, `no ${request.method} ${url.pathname} here`);
    }
  }

  #authenticate({ headers }: IncomingMessage): void {
    const given = Buffer.from(headers.authorization ?? '');
    const wanted = Buffer.from(`Bearer ${this.#options.token}`);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw new Refusal(401, 'the bearer token is not the one in the state folder');
    }
  }

  async #openStream(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = streamQuery.safeParse(Object.fromEntries(url.searchParams));
    if (!query.success) throw new Refusal(400, z.prettifyError(query.error));
    const { role: agentRole, node, epoch, seq, seen, run, contract } = query.data;
    const spoken = CONTRACT_VERSIONS.find((version) => contract.includes(version));
    if (spoken === undefined) {
      throw new Refusal(
        426,
        `contract versions here: ${CONTRACT_VERSIONS.join(', ')}; the agent speaks ${contract.join(', ')}`,
      );
    }
    const identity = { role: agentRole, node };
    const held = { epoch, seq };
    const greeting = await this.#options.events.connecting({ ...identity, seen, run });
    if (request.socket.destroyed) return;
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    const session = new Session(identity, held, {
      send: (message) => {
        if (response.writableLength > MAX_BACKLOG_BYTES) response.destroy();
        else response.write(ndjsonLine(message));
      },
      end: () => void response.end(),
    });
    this.#join(session, response);
    session.send({ type: 'hello', contract: spoken, epoch: greeting });
    this.#options.events.connected(session, held);
  }

  /** A second stream of one agent takes the place of the first: its machine rebooted, or its network cut it off. */
  #join(session: Session, response: ServerResponse): void {
    const key = `${session.identity.role}/${session.identity.node}`;
    const before = this.#sessions.get(key);
    this.#sessions.set(key, session);
    before?.end();
    response.on('close', () => {
      if (this.#sessions.get(key) !== session) return;
      this.#sessions.delete(key);
      this.#options.events.disconnected(session.identity);
    });
  }

  async #takeReports(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { role: agentRole, node, reports: told } = await readBody(request, reports);
    const session = this.#sessions.get(`${agentRole}/${node}`);
    for (const report of told) {
      if (report.type === 'ack' || report.type === 'nack') session?.judged(report);
      this.#options.events.reported({ role: agentRole, node }, report);
    }
    response.writeHead(204).end();
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (error instanceof Refusal) {
      this.#options.log.warn(
        { method: request.method, url: request.url, status: error.status },
        error.message,
      );
    } else {
      this.#options.log.error({ err: error, url: request.url }, 'a request failed');
    }
    if (response.headersSent) return void response.destroy();
    const status = error instanceof Refusal ? error.status : 500;
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}

async function readBody<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  // A length is asked for, since a body without one could grow for ever.
  if (!(Number(request.headers['content-length']) <= MAX_REPORT_BYTES)) {
    throw new Refusal(413, `at most ${MAX_REPORT_BYTES} bytes at once`);
  }
  const body = schema.safeParse(await json(request).catch(() => undefined));
  if (!body.success) throw new Refusal(400, z.prettifyError(body.error));
  return body.data;
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
