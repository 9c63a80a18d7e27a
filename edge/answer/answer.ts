/** What goes back to a client, before it is written to a socket. */
import type { Readable } from 'node:stream';
import type { ByteSource } from '../cache/byte-source.ts';
import type { Headers } from '../headers.ts';

export interface Answer {
  status: number;
  headers: Headers;
  body: AnswerBody;
  /** For metrics: the domain's label, '' where there is none. */
  domain: string;
  /** For metrics: what the cache did. */
  result: Result;
}

export type AnswerBody =
  | { kind: 'none' }
  | { kind: 'bytes'; bytes: Buffer }
  /** `last` is unknown while a body of unknown length comes. */
  | { kind: 'source'; source: ByteSource; first: number; last: number | undefined }
  /** For this client alone. */
  | { kind: 'stream'; stream: Readable };

export type Result = 'hit' | 'miss' | 'collapsed' | 'stale' | 'revalidated' | 'bypass' | 'error' | 'refused';

export const NO_BODY: AnswerBody = { kind: 'none' };

/** A short text in place of the content, for the person who meets it. */
export function textAnswer(
  status: number,
  message: string,
  about: { domain?: string; result?: Result; headers?: Headers } = {},
): Answer {
  const bytes = Buffer.from(`${message}\n`);
  return {
    status,
    headers: [
      ['content-type', 'text/plain; charset=utf-8'],
      ['content-length', String(bytes.length)],
      ['cache-control', 'no-store'],
      ['date', new Date().toUTCString()],
      ...(about.headers ?? []),
    ],
    body: { kind: 'bytes', bytes },
    domain: about.domain ?? '',
    result: about.result ?? 'refused',
  };
}
