/** Bodies of requests and answers on the operator's port. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { parsedJson } from '../../lib/parsed-json.ts';
import { Refusal } from './refusal.ts';

/** Of whoever is not known yet. */
const MAX_BYTES = 64 * 2 ** 10;

export async function readBody<T>(
  request: IncomingMessage,
  schema: z.ZodType<T>,
  maxBytes = MAX_BYTES,
): Promise<T> {
  // A length is asked for, since a body without one could grow for ever.
  if (!(Number(request.headers['content-length']) <= maxBytes)) {
    throw new Refusal(413, `at most ${maxBytes} bytes at once`);
  }
  const body = schema.safeParse(parsedJson(await contentOf(request)));
  if (!body.success) throw new Refusal(400, z.prettifyError(body.error));
  return body.data;
}

/** By events: an iterator over the request would cost a thousand acks more than all else that becomes of them. */
function contentOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    const done = () => resolve(String(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // Cut off in the middle, it is no JSON.
    request.on('end', done).on('error', done).on('close', done);
  });
}

export function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
