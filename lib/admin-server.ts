import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { listen } from './listen.ts';
import type { ListenAddress } from './listen-address.ts';

/**
 * The port that every program has for the people who run it:
 * `/healthz` (the process is alive), `/readyz` (503 with the reason until it can do its work), `/metrics`.
 */
export interface AdminOptions {
  listen: ListenAddress;
  metrics: Pick<Registry, 'metrics' | 'contentType'>;
  /** The reason why the program is not ready, or nothing when it is. */
  notReady: () => string | undefined;
  /** What is amiss though it does its work; said beside the `ok`. */
  remark?: () => string | undefined;
  /** Further paths, each with the question that its query is; what they return is sent as JSON. */
  questions?: Readonly<Record<string, (query: URLSearchParams) => unknown>>;
}

/** Answers the three paths; false for any other. For programs that have more on the same port. */
export function answerAdmin(
  path: string,
  response: ServerResponse,
  { metrics, notReady, remark }: Pick<AdminOptions, 'metrics' | 'notReady' | 'remark'>,
): boolean {
  if (path === '/healthz') reply(response, 200, 'ok\n');
  else if (path === '/readyz') {
    const reason = notReady();
    const amiss = remark?.();
    if (reason === undefined) reply(response, 200, amiss === undefined ? 'ok\n' : `ok, but ${amiss}\n`);
    else reply(response, 503, `${reason}\n`);
  } else if (path === '/metrics') {
    metrics.metrics().then(
      (body) => reply(response, 200, body, metrics.contentType),
      (error: unknown) => reply(response, 500, `${String(error)}\n`),
    );
  } else return false;
  return true;
}

function reply(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}

export async function startAdminServer({
  listen: address,
  metrics,
  notReady,
  questions = {},
}: AdminOptions): Promise<Server> {
  const server = createServer((request, response) => {
    const [path = '/', query] = (request.url ?? '/').split('?', 2);
    if (answerAdmin(path, response, { metrics, notReady })) return;
    const question = Object.hasOwn(questions, path) ? questions[path] : undefined;
    if (question !== undefined) {
      reply(response, 200, JSON.stringify(question(new URLSearchParams(query))), 'application/json');
      return;
    }
    const paths = ['/healthz', '/readyz', '/metrics', ...Object.keys(questions)];
    reply(response, 404, `paths here: ${paths.join(' ')}\n`);
  });
  await listen(server, address);
  return server;
}
