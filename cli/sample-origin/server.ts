/** The sample origin's socket: streams what answer.ts says, and counts it. */
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../lib/log.ts';
import { type Answer, answerFile, answerSpecial, text } from './answer.ts';
import { createCounts } from './counts.ts';
import type { StoredFile } from './files.ts';

export function sampleOriginServer(files: readonly StoredFile[], log: Log): Server {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const counts = createCounts();

  const answer = ({ method, headers }: IncomingMessage, path: string): Answer => {
    if (method !== 'GET' && method !== 'HEAD') {
      const refusal = text('text/plain', 'no-store', 'only GET and HEAD here\n', 405);
      return { ...refusal, headers: { ...refusal.headers, allow: 'GET, HEAD' } };
    }
    const file = byPath.get(path);
    if (file) return answerFile(file, headers);
    const special = answerSpecial(path, files, new Date().toISOString());
    return (
      special ?? text('text/plain', 'public, max-age=10', `no ${path} here; / lists what there is\n`, 404)
    );
  };

  return createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '/';
    if (path === '/__stats') {
      const stats = text('application/json', 'no-store', `${JSON.stringify(counts.all(), undefined, 2)}\n`);
      return void response.writeHead(stats.status, stats.headers).end(stats.body);
    }
    const answered = answer(request, path);
    counts.count(path, answered.status !== 404, answered.status);
    send(answered, request, response).catch((error: unknown) => {
      // A client that goes away in the middle is its own business.
      if (!request.destroyed) log.warn({ err: error, path }, 'an answer could not be sent');
      response.destroy();
    });
  });
}

async function send(
  { status, headers, body, delayMs }: Answer,
  { method }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (delayMs !== undefined) await sleep(delayMs);
  response.writeHead(status, headers);
  if (method === 'HEAD') response.end();
  else if (typeof body === 'string') response.end(body);
  else {
    const { first, last } = body.range;
    await pipeline(createReadStream(body.file, { start: first, end: last }), response);
  }
}
