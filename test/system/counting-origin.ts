/** An origin that counts what it is asked, by path. */
import { createServer } from 'node:http';

export interface CountingOrigin {
  port: number;
  count(path: string): number;
  stop(): Promise<void>;
}

export async function startCountingOrigin(): Promise<CountingOrigin> {
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    counts.set(path, (counts.get(path) ?? 0) + 1);
    const body = `${path} for the ${counts.get(path)}. time\n`;
    response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'max-age=3600', etag: '"v1"' });
    response.end(body);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    count: (path) => counts.get(path) ?? 0,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
