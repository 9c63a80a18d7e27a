/** From a client's request to its answer on the wire, whatever version of HTTP it came by: pipeline, observer, send. */
import type { Log } from '../../lib/log.ts';
import { type Answer, textAnswer } from '../answer/answer.ts';
import { Blocks } from '../cache/blocks.ts';
import type { ClientRequest } from '../exchange.ts';
import type { Limits, OnLimit } from '../limits/limits.ts';
import type { EdgeMetrics } from '../metrics.ts';
import type { Observer, Protocol } from '../observer.ts';
import type { Pipeline } from '../pipeline.ts';
import { type Outgoing, send } from './send.ts';
import type { SendFile } from './send-file.ts';

export interface AnsweringParts {
  pipeline: Pipeline;
  sendFile: SendFile | undefined;
  limits: Limits;
  onLimit: OnLimit;
  observer: Observer;
  metrics: EdgeMetrics;
  log: Log;
}

/** Resolves when the answer is out or the client has gone. */
export type Answering = (request: ClientRequest, outgoing: Outgoing, protocol: Protocol) => Promise<void>;

export function createAnswering(parts: AnsweringParts): Answering {
  const { pipeline, sendFile, limits, onLimit, observer, metrics, log } = parts;
  const blocks = new Blocks();

  async function answerOf(request: ClientRequest, { stream }: Outgoing): Promise<Answer | undefined> {
    try {
      return tooMuch(request, limits, onLimit) ?? (await pipeline(request));
    } catch (error) {
      if (stream.destroyed) return undefined;
      log.error({ err: error, url: request.url, host: request.headers.host }, 'request failed');
      return textAnswer(500, 'an error inside the edge; its log says more', { result: 'error' });
    }
  }

  async function respond(request: ClientRequest, outgoing: Outgoing, protocol: Protocol): Promise<void> {
    const begin = performance.now();
    const answer = await answerOf(request, outgoing);
    if (answer === undefined) return;
    const { domain, result, status } = answer;
    const answered = { domain, result, status, ms: performance.now() - begin };
    observer.answered(answered);
    let sent = 0;
    const onBytes = (bytes: number) => {
      sent += bytes;
      observer.sent(domain, bytes);
      if (answer.body.kind === 'stream') observer.fetched(domain, bytes);
    };
    await send(outgoing, answer, { onBytes, sendFile, blocks }).catch((error: unknown) =>
      log.warn({ err: error, domain }, 'an answer broke off'),
    );
    observer.ended?.({ ...answered, bytes: sent, protocol, ...writtenDown(request) });
  }

  return async function answering(request, outgoing, protocol) {
    metrics.inFlight.inc();
    try {
      await respond(request, outgoing, protocol);
    } catch (error) {
      log.error({ err: error, url: request.url, host: request.headers.host }, 'request failed');
      outgoing.stream.destroy();
    } finally {
      metrics.inFlight.dec();
    }
  };
}

/** The limits that can be told once the head is whole. */
function tooMuch(
  { url, rawHeaders, bytes = 0 }: ClientRequest,
  { uriLength, headerCount, headerBytes }: Limits,
  onLimit: OnLimit,
): Answer | undefined {
  const close = { headers: [['connection', 'close']] } as const;
  if (url.length > uriLength) {
    onLimit('uriLength');
    return textAnswer(414, `the target is longer than ${uriLength} characters`, close);
  }
  if (bytes > headerBytes) {
    onLimit('headerSize');
    return textAnswer(431, `more than ${headerBytes} bytes of header fields`, close);
  }
  if (rawHeaders.length / 2 > headerCount) {
    onLimit('headerCount');
    return textAnswer(431, `more than ${headerCount} header fields`, close);
  }
  return undefined;
}

function writtenDown({ method, url, headers, scheme, clientAddress: client }: ClientRequest) {
  const field = (name: 'referer' | 'user-agent') => headers[name];
  return { method, scheme, host: headers.host ?? '', url, client, field };
}
