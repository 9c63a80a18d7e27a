/**
 * Requests to the Kubernetes API: JSON in, JSON out, and watches as streams of events. Who we are and whom we trust
 * comes from `credentials`, asked anew for each request, so that a rotated token or CA is seen.
 */
import { Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';
import { readNdjson } from '../../lib/ndjson.ts';
import { parsedJson } from '../../lib/parsed-json.ts';
import type { Credentials, TlsOptions } from './credentials.ts';

const CONNECT_WITHIN_MS = 5_000;
/** A slow list may take this long to begin; a server that is gone must not hold us longer. */
const ANSWER_WITHIN_MS = 30_000;
/** Between two chunks of an answer. */
const BODY_WITHIN_MS = 30_000;

type Query = Record<string, string | number | boolean>;

export interface KubernetesApi {
  get(path: string, query?: Query): Promise<unknown>;
  /** What is no JSON, such as metrics behind the API server’s proxy. */
  text(path: string): Promise<string>;
  create(path: string, body: unknown): Promise<unknown>;
  /** Guarded by the resourceVersion that the body carries. */
  replace(path: string, body: unknown): Promise<unknown>;
  /** Server-side apply; what others own is taken over, or where `force` is false a conflict (409). */
  apply(path: string, fieldManager: string, body: unknown, options?: { force?: boolean }): Promise<unknown>;
  /** JSON merge patch: `null` takes a field away, whoever owns it. */
  merge(path: string, body: unknown): Promise<unknown>;
  /** With `uid` only that very object: one of the same name that was made since is left alone. */
  remove(path: string, uid?: string): Promise<void>;
  /** Events until the server ends it; throws when it is cut off. Silence is the caller's to judge. */
  watch(path: string, query: Query, signal: AbortSignal): AsyncGenerator<unknown>;
  close(): Promise<void>;
}

/**
 * An answer other than 2xx, with the reason that the API gives (`NotFound`, `Conflict`, `Expired`) and the causes that
 * it names (`NamespaceTerminating`).
 */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly causes: readonly string[];

  constructor(status: number, reason: string, message: string, causes: readonly string[] = []) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.causes = causes;
  }
}

export function hasStatus(error: unknown, ...statuses: number[]): boolean {
  return error instanceof ApiError && statuses.includes(error.status);
}

/** What was to be written into has just been deleted, or is a namespace on its way out: the next moment says so. */
export function isGone(error: unknown): boolean {
  return (
    hasStatus(error, 404) || (error instanceof ApiError && error.causes.includes('NamespaceTerminating'))
  );
}

const cause = z.object({ reason: z.string().default('') });
const failure = z.object({
  reason: z.string().default(''),
  message: z.string().default(''),
  details: z.object({ causes: z.array(cause).default([]) }).optional(),
});

/** `agent` is how audit logs name us. */
export function kubernetesApi(credentials: Credentials, agent = 'weir-operator'): KubernetesApi {
  return new Api(credentials, agent);
}

interface Sending {
  method: Dispatcher.HttpMethod;
  path: string;
  query?: Query;
  body?: unknown;
  type?: string;
  signal?: AbortSignal;
}

class Api implements KubernetesApi {
  readonly #credentials: Credentials;
  readonly #agent: string;
  #pool: { agent: Agent; key: string } | undefined;

  constructor(credentials: Credentials, agent: string) {
    this.#credentials = credentials;
    this.#agent = agent;
  }

  get(path: string, query: Query = {}): Promise<unknown> {
    return this.#json({ method: 'GET', path, query });
  }

  async text(path: string): Promise<string> {
    const { body } = await this.#send({ method: 'GET', path });
    return body.text();
  }

  create(path: string, body: unknown): Promise<unknown> {
    return this.#json({ method: 'POST', path, body });
  }

  replace(path: string, body: unknown): Promise<unknown> {
    return this.#json({ method: 'PUT', path, body });
  }

  apply(
    path: string,
    fieldManager: string,
    body: unknown,
    { force = true }: { force?: boolean } = {},
  ): Promise<unknown> {
    const query = { fieldManager, force };
    // JSON is YAML too.
    return this.#json({ method: 'PATCH', path, query, body, type: 'application/apply-patch+yaml' });
  }

  merge(path: string, body: unknown): Promise<unknown> {
    return this.#json({ method: 'PATCH', path, body, type: 'application/merge-patch+json' });
  }

  async remove(path: string, uid?: string): Promise<void> {
    const options = { apiVersion: 'v1', kind: 'DeleteOptions', ...(uid && { preconditions: { uid } }) };
    await this.#json({ method: 'DELETE', path, body: options });
  }

  async *watch(path: string, query: Query, signal: AbortSignal): AsyncGenerator<unknown> {
    const { body } = await this.#send({
      method: 'GET',
      path,
      query: { ...query, watch: true },
      signal,
    });
    yield* readNdjson(body);
  }

  async close(): Promise<void> {
    await this.#pool?.agent.destroy();
  }

  async #json(sending: Sending): Promise<unknown> {
    const { body } = await this.#send(sending);
    return body.json();
  }

  async #send({ method, path, query = {}, body, type = 'application/json', signal }: Sending) {
    const { server, headers, tls } = await this.#credentials();
    const url = new URL(`${server.replace(/\/+$/, '')}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    const response = await request(url, {
      method,
      dispatcher: this.#dispatcher(tls),
      headers: {
        ...headers,
        accept: 'application/json, text/plain;q=0.9',
        'user-agent': this.#agent,
        ...(body !== undefined && { 'content-type': type }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: ANSWER_WITHIN_MS,
      bodyTimeout: signal ? 0 : BODY_WITHIN_MS,
      ...(signal && { signal }),
    });
    if (response.statusCode < 300) return response;
    throw await refusal(method, path, response);
  }

  /** One pool of connections for as long as the certificates stay the same. */
  #dispatcher(tls: TlsOptions): Agent {
    const key = JSON.stringify(tls);
    if (this.#pool?.key === key) return this.#pool.agent;
    void this.#pool?.agent.close();
    const agent = new Agent({ connect: { ...tls, timeout: CONNECT_WITHIN_MS } });
    this.#pool = { agent, key };
    return agent;
  }
}

async function refusal(method: string, path: string, response: Dispatcher.ResponseData): Promise<ApiError> {
  const text = await response.body.text();
  const said = failure.safeParse(parsedJson(text)).data;
  const message = said?.message || text.slice(0, 300);
  return new ApiError(
    response.statusCode,
    said?.reason ?? '',
    `${method} ${path}: ${response.statusCode} ${message}`,
    said?.details?.causes.map(({ reason }) => reason),
  );
}
