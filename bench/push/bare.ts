/**
 * The least that could do the same: a process that holds the streams, writes the line that it is told to all of them,
 * and takes the acks, reading no more of them than that they came.
 */
import { createServer } from 'node:https';
import { listen } from '../../lib/listen.ts';
import { ndjsonLine } from '../../lib/ndjson.ts';
import { testBundle, testTls } from '../../operator/testing/trust.ts';

const streams = new Set<NodeJS.WritableStream>();
/** What an agent is greeted with: it takes it for the plan that it holds. */
const first = ndjsonLine({
  type: 'plan',
  published: { revision: { epoch: 1, seq: 1 }, digest: 'x'.repeat(64), run: 'bare' },
});

const server = createServer(await testTls(), (request, response) => {
  if (request.method === 'POST') {
    request.resume();
    request.on('end', () => response.writeHead(204).end());
    return;
  }
  response.writeHead(200);
  response.write(first);
  streams.add(response);
  response.on('close', () => streams.delete(response));
});
/** As the operator does. */
const KEEP_MS = 30_000;
server.keepAliveTimeout = KEEP_MS;
const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
process.send?.({ type: 'listening', port, ca: await testBundle() });

process.on('message', ({ line }: { line: string }) => {
  const bytes = Buffer.from(line);
  for (const stream of streams) stream.write(bytes);
});
