import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';
import { listen } from './listen.ts';
import type { ListenAddress } from './listen-address.ts';

/**
 * The port that every program has for the people who run it:
 * `/healthz` (the process is alive), `/readyz` (503 with the reason until it can do its work), `/metrics`.
 */
export interface AdminOptions {
  listen: ListenAddress;
  metrics: Registry;
  /** The reason why the program is not ready, or nothing when it is. */
  notReady: () => string | undefined;
}

export async function startAdminServer({
  listen: address,
  metrics,
  notReady,
}: AdminOptions): Promise<Server> {
  const server = createServer((request, response) => {
    const reply = (status: number, body: string, type = 'text/plain; charset=utf-8') =>
      response.writeHead(status, { 'content-type': type }).end(body);
    switch (request.url?.split('?')[0]) {
      case '/healthz':
        return reply(200, 'ok\n');
      case '/readyz': {
        const reason = notReady();
        return reason === undefined ? reply(200, 'ok\n') : reply(503, `${reason}\n`);
      }
      case '/metrics':
        return void metrics.metrics().then(
          (body) => reply(200, body, metrics.contentType),
          (error: unknown) => reply(500, `${String(error)}\n`),
        );
      default:
        return reply(404, 'paths here: /healthz /readyz /metrics\n');
    }
  });
  await listen(server, address);
  return server;
}
