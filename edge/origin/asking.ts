/** One request on its way through undici, from its dispatch to the last byte of the answer. */
import type { Dispatcher } from 'undici';
import { OriginBody } from './origin-body.ts';

export type RawHeaders = Record<string, string | string[] | undefined>;

export interface Asked {
  status: number;
  headers: RawHeaders;
  body: OriginBody;
}

interface Asking {
  options: Dispatcher.DispatchOptions;
  signal?: AbortSignal | undefined;
  /** An interim answer (RFC 9110 15.2). */
  onInfo?: ((status: number, headers: RawHeaders) => void) | undefined;
}

/** Resolves with the head. Rejects where none comes. */
export function ask(dispatcher: Dispatcher, { options, signal, onInfo }: Asking): Promise<Asked> {
  const { promise, resolve, reject } = Promise.withResolvers<Asked>();
  let control: Dispatcher.DispatchController | undefined;
  let body: OriginBody | undefined;
  // undici hears it when the request has a connection.
  const onAbort = () => control?.abort(reasonOf(signal));
  signal?.addEventListener('abort', onAbort);
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(controller) {
      control = controller;
      if (signal?.aborted) onAbort();
    },
    onResponseStart(controller, status, headers) {
      if (status < 200) return onInfo?.(status, headers);
      body = new OriginBody(controller);
      resolve({ status, headers, body });
    },
    onResponseData: (_controller, chunk) => body?.push(chunk),
    onResponseEnd() {
      signal?.removeEventListener('abort', onAbort);
      body?.end();
    },
    onResponseError(_controller, error) {
      signal?.removeEventListener('abort', onAbort);
      reject(error);
      body?.fail(error);
    },
  };
  dispatcher.dispatch(options, handler);
  return promise;
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted');
}
