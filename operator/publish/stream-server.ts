/**
 * The operator's HTTP port: the plan stream and reports for agents, views for the `weir` command, and the admin paths.
 * Sockets only; what to send and what a report means is decided elsewhere.
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import {
  CONTRACT_VERSIONS,
  HEARTBEAT_MS,
  REPORTS_PATH,
  reports,
  role,
  STREAM_PATH,
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
import { Refusal } from './refusal.ts';
import type { Sessions } from './sessions.ts';

const MAX_REPORT_BYTES = 16 * 2 ** 20;
/** An agent that reads no more is cut off when this lies in wait for it, and begins anew: tables must not pile up. */
const MAX_BACKLOG_BYTES = 64 * 2 ** 20;

/** What people ask for. Each may throw a Refusal. */
export interface Views {
  /** Resolves when it is durable. */
  force(request: ForceRequest): Promise<void>;
  resources(): ResourcesView;
  routing(): RoutingView;
}

export interface StreamServerOptions extends Pick<AdminOptions, 'metrics' | 'notReady'> {
  listen: ListenAddress;
  token: string;
  sessions: Sessions;
  /** Of the moment: a replica comes to lead. */
  views: () => Views;
  clock: Clock;
  log: Log;
}

const streamQuery = z.object({
  role,
  node: z.string().min(1).max(253),
  epoch: z.coerce.number().int().min(0),
  seq: z.coerce.number().int().min(0),
  digest: z.string().max(64).default(''),
  seen: z.coerce.number().int().min(0).default(0),
  run: z.string().max(64).default(''),
  contract: z.string().transform((text) => text.split(',').map(Number)),
});

export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #server: Server;
  #stopHeartbeat = () => {};

  constructor(options: StreamServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => this.#fail(request, response, error));
    });
  }

  async start(): Promise<ListenAddress> {
    const bound = await listen(this.#server, this.#options.listen);
    this.#stopHeartbeat = this.#options.clock.every(HEARTBEAT_MS, () => this.#options.sessions.beat());
    return bound;
  }

  async stop(): Promise<void> {
    this.#stopHeartbeat();
    this.#options.sessions.endAll();
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
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
        await this.#options.views().force(await readBody(request, forceRequest));
        return void response.writeHead(204).end();
      case `GET ${RESOURCES_PATH}`:
        return sendJson(response, this.#options.views().resources());
      case `GET ${ROUTING_PATH}`:
        return sendJson(response, this.#options.views().routing());
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

  #openStream(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const query = streamQuery.safeParse(Object.fromEntries(url.searchParams));
    if (!query.success) throw new Refusal(400, z.prettifyError(query.error));
    const { role: agentRole, node, epoch, seq, digest, seen, run, contract } = query.data;
    const spoken = CONTRACT_VERSIONS.find((version) => contract.includes(version));
    if (spoken === undefined) {
      throw new Refusal(
        426,
        `contract versions here: ${CONTRACT_VERSIONS.join(', ')}; the agent speaks ${contract.join(', ')}`,
      );
    }
    const caller = { role: agentRole, node, held: { epoch, seq }, seen, run };
    const session = this.#options.sessions.open(
      caller,
      { digest, contract: spoken },
      {
        greet: (greeting) => {
          response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
          response.write(ndjsonLine({ type: 'hello', contract: spoken, epoch: greeting }));
        },
        refuse: (refusal) => this.#fail(request, response, refusal),
        write: (line) => {
          if (response.writableLength > MAX_BACKLOG_BYTES) response.destroy();
          else response.write(line);
        },
        end: () => void response.end(),
      },
    );
    response.once('close', () => this.#options.sessions.close(session));
  }

  async #takeReports(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { role: agentRole, node, reports: told } = await readBody(request, reports);
    await this.#options.sessions.report({ role: agentRole, node }, told);
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
    const there = error instanceof Refusal ? error.location : undefined;
    const location = there !== undefined && { location: `${there}${request.url}` };
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...location });
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
