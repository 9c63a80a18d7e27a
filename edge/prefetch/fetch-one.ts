/** One URL of a prefetch: asked for as a client would, by the same pipeline, and read to its end. */
import { gunzipSync } from 'node:zlib';
import type { Answer } from '../answer/answer.ts';
import { Blocks } from '../cache/blocks.ts';
import type { ClientRequest } from '../exchange.ts';
import { field } from '../headers.ts';
import { abandon } from '../origin/abandon.ts';
import type { Pipeline } from '../pipeline.ts';
import { dashUrls } from './dash.ts';
import { hlsUris } from './hls.ts';

/** Playlists are read into memory; no player would take one that is larger. */
const MAX_PLAYLIST_BYTES = 8 * 1_024 * 1_024;

export interface Fetched {
  /** It is in the cache now and was not before. */
  stored: boolean;
  /** What it names, where it is a playlist: absolute URLs. */
  further: string[];
}

/** Why a URL is not in the cache now. */
export class NotStored extends Error {
  /** Asking again may help. */
  readonly again: boolean;

  constructor(why: string, again: boolean) {
    super(why);
    this.again = again;
  }
}

/** `scheme`: how the domain's clients come. */
export async function fetchOne(
  pipeline: Pipeline,
  url: string,
  { scheme, signal }: Asking,
): Promise<Fetched> {
  const gzip = await ask(pipeline, url, 'gzip', { scheme, signal });
  // An answer that depends on the coding is two: not every client takes gzip.
  const coded = /accept-encoding/i.test(gzip.vary) || gzip.coding !== '';
  const plain = coded ? await ask(pipeline, url, 'identity', { scheme, signal }) : undefined;
  return { stored: gzip.stored || (plain?.stored ?? false), further: furtherOf(gzip, url) };
}

interface Asking {
  scheme: ClientRequest['scheme'];
  signal: AbortSignal;
}

interface Asked {
  stored: boolean;
  vary: string;
  coding: string;
  type: string;
  body: Buffer;
}

async function ask(pipeline: Pipeline, url: string, coding: string, asking: Asking): Promise<Asked> {
  const answer = await pipeline(requestFor(url, coding, asking));
  const told = (name: string) => field(answer.headers, name) ?? '';
  const type = told('content-type');
  const body = await readBody(answer, isPlaylist(type, url));
  const did = told('cache-status');
  if (answer.status >= 400) throw new NotStored(`status ${answer.status}`, answer.status >= 500);
  const there = /; hit|; stored|; collapsed|fwd-status=304/.test(did);
  if (!there) throw new NotStored(`it cannot be stored (${did})`, false);
  return {
    stored: answer.result === 'miss' || answer.result === 'collapsed',
    vary: told('vary'),
    coding: told('content-encoding'),
    type,
    body,
  };
}

function requestFor(url: string, coding: string, { scheme, signal }: Asking): ClientRequest {
  const { host } = new URL(url);
  const headers = { host, 'accept-encoding': coding, 'user-agent': 'weir-prefetch' };
  return {
    method: 'GET',
    url,
    headers,
    rawHeaders: Object.entries(headers).flat(),
    clientAddress: '127.0.0.1',
    prefetch: true,
    scheme,
    body: undefined,
    gone: () => signal,
  };
}

/** To its end, so that a body which breaks off is noticed; what is stored already is not read. */
async function readBody({ body, result }: Answer, keep: boolean): Promise<Buffer> {
  const kept: Buffer[] = [];
  if (body.kind === 'bytes') return body.bytes;
  if (body.kind === 'stream') abandon(body.stream);
  if (body.kind !== 'source') return Buffer.alloc(0);
  try {
    const room = new Blocks().room();
    for (let at = body.first; keep || result !== 'hit'; ) {
      const chunk = await body.source.read(at, room);
      at += chunk.length;
      if (chunk.length === 0) break;
      if (keep && at < MAX_PLAYLIST_BYTES) kept.push(Buffer.from(chunk));
    }
    return Buffer.concat(kept);
  } finally {
    await body.source.close();
  }
}

const HLS = /mpegurl/i;
const DASH = /dash\+xml/i;

function isPlaylist(type: string, url: string): boolean {
  return HLS.test(type) || DASH.test(type) || /\.(m3u8|mpd)(\?|$)/i.test(url);
}

function furtherOf({ type, coding, body }: Asked, url: string): string[] {
  if (!isPlaylist(type, url) || (coding !== '' && coding !== 'gzip')) return [];
  const text = (
    coding === 'gzip' ? gunzipSync(body, { maxOutputLength: MAX_PLAYLIST_BYTES }) : body
  ).toString();
  if (text.startsWith('#EXTM3U')) return hlsUris(text).flatMap((uri) => URL.parse(uri, url)?.href ?? []);
  return dashUrls(text, url);
}
