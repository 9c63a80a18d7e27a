/**
 * What the operator's port answers: the plan stream and reports to agents, views to the `weir` command, joining to those
 * who have no certificate yet, and the admin paths. What to send, what a report means, and whom to let in is decided
 * elsewhere.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, type Registry } from 'prom-client';
import { z } from 'zod';
import { REFUSAL_HEADER, refusalReason } from '../../contract/stream/join.ts';
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
import type { ListenAddress } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import { ndjsonLine } from '../../lib/ndjson.ts';
import type { AgentIdentity } from '../relay/relay.ts';
import { TrustRefusal } from '../trust/refusal.ts';
import { TrustRoutes } from '../trust/routes.ts';
import type { KnownAgent, Trust } from '../trust/trust.ts';
import { readBody, sendJson } from './bodies.ts';
import { createPort, type Port } from './port.ts';
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

export interface StreamServerOptions extends Pick<AdminOptions, 'notReady' | 'remark'> {
  metrics: Registry;
  listen: ListenAddress;
  /** The one in the state folder, by which `weir` asks. */
  token: string;
  trust: Trust;
  /** The admin paths have an address of their own. */
  adminElsewhere?: boolean;
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
  /** Digest of the CAs that the agent trusts; one that names none is not told of others. */
  bundle: z.string().max(64).optional(),
  /** Digest of the secrets that the agent holds. */
  secrets: z.string().max(64).optional(),
});

/** One that was let in. */
interface OpenStream {
  agent: KnownAgent;
  /** The CAs that it was told of. */
  told: string | undefined;
  response: ServerResponse;
}

export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #port: Port;
  readonly #routes: TrustRoutes;
  readonly #refusals: Counter<'reason'>;
  readonly #streams = new Set<OpenStream>();
  /** Resolve when a stream is closed and its end was told. */
  readonly #ends = new Set<Promise<unknown>>();
  #stopHeartbeat = () => {};

  constructor(options: StreamServerOptions) {
    this.#options = options;
    const { trust, token, metrics } = options;
    this.#routes = new TrustRoutes(trust, token);
    this.#refusals = refusalCounter(metrics);
    this.#port = createPort(
      trust.tls(),
      (request, response) => {
        this.#handle(request, response).catch((error: unknown) => this.#fail(request, response, error));
      },
      (request, response) => this.#answerInTheClear(request, response),
    );
    trust.onTlsChange((tls) => {
      this.#port.use(tls);
      for (const stream of this.#streams) this.#tellBundle(stream);
    });
  }

  async start(): Promise<ListenAddress> {
    const bound = await this.#port.start(this.#options.listen);
    this.#stopHeartbeat = this.#options.clock.every(HEARTBEAT_MS, () => {
      this.enforce();
      this.#options.sessions.beat();
    });
    return bound;
  }

  async stop(): Promise<void> {
    this.#stopHeartbeat();
    this.#options.sessions.endAll();
    await this.#port.stop();
    // The last of what agents did has then been told.
    await Promise.all(this.#ends);
  }

  /** Ends the streams of those who would not be let in any more: denied, expired, or of an EdgeNode that was made anew. */
  enforce(): void {
    for (const { agent, response } of this.#streams) {
      const reason = this.#options.trust.objection(agent.shown);
      if (reason === undefined) continue;
      const { role: agentRole, node } = agent.identity;
      // The end of its days is no fault: an agent comes back with the next certificate.
      if (reason !== 'Expired') this.#refusals.inc({ reason });
      this.#options.log.warn({ role: agentRole, node, reason }, 'a stream is ended');
      response.end();
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // First, and as it stands: all others together are few beside these.
    if (request.url === REPORTS_PATH && request.method === 'POST')
      return this.#takeReports(request, response);
    const url = new URL(request.url ?? '/', 'https://operator');
    const route = `${request.method} ${url.pathname}`;
    if (this.#answersAdmin(url.pathname, response)) return;
    if (await this.#routes.answer(route, request, response)) return;
    if (route === `GET ${STREAM_PATH}`) return this.#openStream(url, request, response);
    this.#routes.requireMachineToken(request);
    // For `weir top`, wherever the paths are for others.
    if (answerAdmin(url.pathname, response, this.#options)) return;
    switch (route) {
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

  #answersAdmin(path: string, response: ServerResponse): boolean {
    return !this.#options.adminElsewhere && answerAdmin(path, response, this.#options);
  }

  #answerInTheClear({ url = '/' }: IncomingMessage, response: ServerResponse): void {
    if (this.#answersAdmin(url.split('?')[0] ?? '', response)) return;
    response.writeHead(426, {
      upgrade: 'TLS/1.3',
      connection: 'upgrade, close',
      'content-type': 'text/plain',
    });
    response.end('this port speaks TLS: use https://\n');
  }

  #openStream(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const query = streamQuery.safeParse(Object.fromEntries(url.searchParams));
    if (!query.success) throw new Refusal(400, z.prettifyError(query.error));
    const { role: agentRole, node, epoch, seq, digest, seen, run, contract, bundle, secrets } = query.data;
    const agent = this.#routes.agent(request);
    requireSame(agent.identity, { role: agentRole, node });
    const spoken = CONTRACT_VERSIONS.find((version) => contract.includes(version));
    if (spoken === undefined) {
      throw new Refusal(
        426,
        `contract versions here: ${CONTRACT_VERSIONS.join(', ')}; the agent speaks ${contract.join(', ')}`,
      );
    }
    const caller = { role: agentRole, node, held: { epoch, seq }, seen, run };
    const stream = { agent, told: bundle, response };
    const session = this.#options.sessions.open(
      caller,
      { digest, contract: spoken, secrets },
      {
        greet: (greeting) => {
          response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
          response.write(ndjsonLine({ type: 'hello', contract: spoken, epoch: greeting }));
          this.#streams.add(stream);
          this.#tellBundle(stream);
        },
        refuse: (refusal) => this.#fail(request, response, refusal),
        write: (line, sent = () => {}) => {
          // Ended here, and not yet closed by the agent.
          if (response.writableEnded) return;
          if (response.writableLength > MAX_BACKLOG_BYTES) response.destroy();
          else response.write(line, () => sent());
        },
        end: () => void response.end(),
      },
    );
    const closed = new Promise((resolve) => void response.once('close', resolve));
    const end = closed.then(() => {
      this.#ends.delete(end);
      this.#streams.delete(stream);
      this.#options.sessions.close(session);
    });
    this.#ends.add(end);
  }

  /** To an agent that trusts other CAs than there are now: it renews, and gets the CAs with its certificate. */
  #tellBundle(stream: OpenStream): void {
    const { digest } = this.#options.trust.ca.bundle();
    if (stream.told === undefined || stream.told === digest || stream.response.writableEnded) return;
    stream.told = digest;
    stream.response.write(ndjsonLine({ type: 'trust', bundle: digest }));
  }

  async #takeReports(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Before a large body is read.
    const { identity } = this.#routes.agent(request);
    const { role: agentRole, node, reports: told } = await readBody(request, reports, MAX_REPORT_BYTES);
    requireSame(identity, { role: agentRole, node });
    await this.#options.sessions.report({ role: agentRole, node }, told);
    response.writeHead(204).end();
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const reason = error instanceof TrustRefusal ? error.reason : undefined;
    if (reason) this.#refusals.inc({ reason });
    if (error instanceof Refusal) {
      this.#options.log.warn(
        { method: request.method, url: request.url, status: error.status, reason },
        error.message,
      );
    } else {
      this.#options.log.error({ err: error, url: request.url }, 'a request failed');
    }
    if (response.headersSent) return void response.destroy();
    const status = error instanceof Refusal ? error.status : 500;
    const there = error instanceof Refusal ? error.location : undefined;
    // Closed: behind a Service the next connection may come to the leader itself.
    const location = there !== undefined && { location: `${there}${request.url}`, connection: 'close' };
    response.writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      ...location,
      ...(reason && { [REFUSAL_HEADER]: reason }),
    });
    response.end(`${messageOf(error)}\n`);
  }
}

/** An agent speaks for itself alone. */
function requireSame(certified: AgentIdentity, claimed: AgentIdentity): void {
  const { role: agentRole, node } = certified;
  if (agentRole === claimed.role && node === claimed.node) return;
  throw new TrustRefusal(
    'WrongNode',
    `the certificate is of ${agentRole} ${node}, the request of ${claimed.role} ${claimed.node}`,
  );
}

/** All reasons from the start, so that a rate over them has a beginning. */
function refusalCounter(registry: Registry): Counter<'reason'> {
  const counter = new Counter({
    name: 'weir_operator_refusals_total',
    help: 'Agents and tokens that were not let in, by reason.',
    labelNames: ['reason'],
    registers: [registry],
  });
  for (const reason of refusalReason.options) counter.inc({ reason }, 0);
  return counter;
}
