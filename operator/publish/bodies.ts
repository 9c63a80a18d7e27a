/** Bodies of requests and answers on the operator's port. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
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
  const body = schema.safeParse(await json(request).catch(() => undefined));
  if (!body.success) throw new Refusal(400, z.prettifyError(body.error));
  return body.data;
}

export function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
