/** The body of an answer from the origin into the fill's, gone on with by range where it breaks off and that can be done. */
import type { Log } from '../../lib/log.ts';
import { OriginFailure } from '../origin/failure.ts';
import type { OriginResponse } from '../origin/origin.ts';
import type { FillRequest } from './fill.ts';
import type { FillBody, FilledBody } from './fill-body.ts';
import { furtherRange, lengthOfRest } from './resume.ts';

type Asker = Pick<FillRequest, 'fetch' | 'onBytes'>;

interface About {
  signal: AbortSignal;
  log: Log;
}

/** Nothing when the origin broke off, or when nobody wants it any more. */
export async function pump(
  asker: Asker,
  response: OriginResponse,
  body: FillBody,
  about: About,
): Promise<FilledBody | undefined> {
  for (let source: OriginResponse['body'] | undefined = response.body; source !== undefined; ) {
    const before = body.received;
    const broken = await take(asker, source, body);
    if (broken === undefined) return await body.end();
    about.log.warn({ err: broken, received: body.received }, 'the origin broke off');
    // Without progress it would break off in the same way again.
    const more = body.received > before && !body.abandoned && !about.signal.aborted;
    source = more ? await further(asker, response, body.received, about) : undefined;
    if (source === undefined) await body.fail(new OriginFailure(broken));
  }
  return undefined;
}

/** Why it broke off, if it did. */
async function take(
  { onBytes }: Asker,
  source: OriginResponse['body'],
  body: FillBody,
): Promise<Error | undefined> {
  try {
    for (let chunk = await source.read(); chunk !== undefined; chunk = await source.read()) {
      onBytes(chunk.length);
      await body.append(chunk);
      if (body.abandoned) {
        source.abandon();
        break;
      }
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** What lies behind the first `received` bytes of an answer, where the origin has the very same (RFC 9111 3.4). */
export async function further(
  { fetch }: Asker,
  response: OriginResponse,
  received: number,
  { signal, log }: About,
): Promise<OriginResponse['body'] | undefined> {
  // A slice that breaks off is asked for anew: it is short.
  const range = response.total === undefined ? furtherRange(response, received) : undefined;
  if (range === undefined) return undefined;
  try {
    const rest = await fetch(range, signal);
    const bytes = lengthOfRest(rest, response, received);
    if (bytes !== undefined) {
      rest.body.holdTo(bytes);
      return rest.body;
    }
    rest.body.abandon();
  } catch (error) {
    log.warn({ err: error }, 'the rest of an answer could not be had');
  }
  return undefined;
}
