/**
 * The requests that the fast path takes: whole GETs and HEADs without content, as they come in one piece, with a safe
 * target and nothing about the connection. A strict subset of what node:http takes, and read in the same way; whatever
 * else comes is not refused here, it is not ours. Pure.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { ClientRequest } from '../exchange.ts';
import type { Limits } from '../limits/limits.ts';

/** What a ready hit is looked up by, whatever version of HTTP it came by. */
export interface Asked extends Question {
  method: 'GET' | 'HEAD';
  url: string;
  host: string;
  /** Both in one: what it leads to is remembered under it. */
  name: string;
}

export interface PlainRequest extends Asked {
  /** All of it, for who writes requests down. */
  text: string;
  /** It has no field that could change the answer but for what it asks (`Question`): a ready hit will do. */
  isPlain: boolean;
  /** For who answers it where it is no ready hit; absent where node:http would make one field of several. */
  head: HeadFields | undefined;
}

export type HeadFields = Readonly<Pick<ClientRequest, 'headers' | 'rawHeaders'>>;

/** What of its object a request asks for, where that is not simply all of it; one of these at most. */
export interface Question {
  /** The value of a Range with one range; only with GET, for which alone it means something (RFC 9110 14.2). */
  range?: string;
  /** The copy that a browser has. */
  has?: Pick<IncomingHttpHeaders, Condition>;
}

type Condition = 'if-none-match' | 'if-modified-since';

type Fields = Question & Pick<PlainRequest, 'host' | 'isPlain' | 'head'>;

/** Longer ones are rare. */
const MAX_BYTES = 4_096;
/** Header blocks that are known to be plain. Clients send the same one with each request of a connection. */
const KNOWN_BLOCKS = 1_000;
const MAX_KNOWN_CHARS = 1_024;
/** Requests that are known to be plain, whole: those for what is hot are the same text again and again. */
const KNOWN_REQUESTS = 1_000;

/** Nothing in it that any parser would read in another way; a dot segment or a bad escape is for the target's reader. */
const REQUEST_LINE = /^(GET|HEAD) (\/[A-Za-z0-9._~!$&'()*+,;=:@/%?-]*) HTTP\/1\.1\r\n/;
const TARGET = /^\/[A-Za-z0-9._~!$&'()*+,;=:@/%?-]*$/;
const FIELD = /([A-Za-z][A-Za-z0-9-]*): ([!-~](?:[ -~]*[!-~])?)\r\n/y;
const ONE_RANGE = /^bytes=(?:\d{1,15}-\d{0,15}|-\d{1,15})$/;
/** Entity tags, or any; a date, whose form is not looked at here (RFC 9110 8.8.3, 5.6.7). */
const CONDITIONS: Record<Condition, RegExp> = {
  'if-none-match': /^(?:\*|(?:W\/)?"[!#-~]*"(?:, ?(?:W\/)?"[!#-~]*")*)$/,
  'if-modified-since': /^[A-Za-z0-9,: -]+$/,
};
const HOST = /^[A-Za-z0-9.-]+(?::\d{1,5})?$/;
/** What says how long a request is, is about the connection, or is no string once node:http has read it. */
const NOT_OURS = new Set([
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Fields that neither the cache nor the framing looks at. A stored answer that varies on one of them is not ours. */
const WITHOUT_EFFECT =
  /^(?:accept|accept-encoding|accept-language|cookie|dnt|origin|priority|referer|save-data|sec-ch-ua[a-z-]*|sec-fetch-[a-z]+|sec-gpc|upgrade-insecure-requests|user-agent)$/i;

/** Of HTTP/2: whether the target, the host are of the same subset. */
export const isPlainTarget = (target: string) => TARGET.test(target);
export const isPlainHost = (host: string) => HOST.test(host);

/** One field into what is asked; false where it may change the answer in another way. */
export function readQuestion(asked: Question, name: string, value: string): boolean {
  if (/^range$/i.test(name)) {
    if (asked.range !== undefined || !ONE_RANGE.test(value)) return false;
    asked.range = value;
    return true;
  }
  const condition = name.toLowerCase();
  if (condition !== 'if-none-match' && condition !== 'if-modified-since') return WITHOUT_EFFECT.test(name);
  if (asked.has?.[condition] !== undefined || !CONDITIONS[condition].test(value)) return false;
  asked.has = { ...asked.has, [condition]: value };
  return true;
}

/** Not both: what a range of an unchanged copy is, the ordinary path knows. */
export function isPlainQuestion(
  method: string | undefined,
  { range, has }: Question,
): method is PlainRequest['method'] {
  if (range === undefined) return method === 'GET' || method === 'HEAD';
  return method === 'GET' && has === undefined;
}

export type ReadPlainRequests = (bytes: Buffer) => readonly PlainRequest[] | undefined;

/** All that came in one piece, or nothing. What is beyond a limit is not plain: to refuse it is for the ordinary path. */
export function plainRequestReader({
  headerBytes,
  headerCount,
  uriLength,
}: Pick<Limits, 'headerBytes' | 'headerCount' | 'uriLength'>): ReadPlainRequests {
  const maxBytes = Math.min(MAX_BYTES, headerBytes);
  const blocks = new Map<string, Fields>();
  const wholes = new Map<string, readonly PlainRequest[]>();

  function fieldsOf(block: string): Fields | undefined {
    const known = blocks.get(block);
    if (known !== undefined) return known;
    const fields = readBlock(block, headerCount);
    if (fields === undefined || block.length > MAX_KNOWN_CHARS) return fields;
    if (blocks.size >= KNOWN_BLOCKS) blocks.clear();
    blocks.set(block, fields);
    return fields;
  }

  function readOne(text: string): PlainRequest | undefined {
    const [line, method, url] = REQUEST_LINE.exec(text) ?? [];
    if (line === undefined || url === undefined || url.length > uriLength) return undefined;
    const fields = fieldsOf(text.slice(line.length));
    if (fields === undefined || (method !== 'GET' && method !== 'HEAD')) return undefined;
    const name = fields.host + url;
    return { ...fields, method, url, name, text, isPlain: fields.isPlain && isPlainQuestion(method, fields) };
  }

  return function readPlainRequests(bytes) {
    if (bytes.length === 0 || bytes.length > maxBytes) return undefined;
    const all = bytes.toString('latin1');
    const known = wholes.get(all);
    if (known !== undefined) return known;
    const requests = readAll(all);
    if (requests === undefined || all.length > MAX_KNOWN_CHARS) return requests;
    if (wholes.size >= KNOWN_REQUESTS) wholes.clear();
    wholes.set(all, requests);
    return requests;
  };

  function readAll(all: string): readonly PlainRequest[] | undefined {
    const requests: PlainRequest[] = [];
    for (let at = 0; at < all.length; ) {
      const end = all.indexOf('\r\n\r\n', at) + 4;
      const request = end < 4 ? undefined : readOne(all.slice(at, end));
      if (request === undefined) return undefined;
      requests.push(request);
      at = end;
    }
    return requests;
  }
}

/** Of a block of fields up to and with the empty line. */
function readBlock(block: string, maxFields: number): Fields | undefined {
  let host: string | undefined;
  let isPlain = true;
  const asked: Question = {};
  const headers: IncomingHttpHeaders = {};
  const rawHeaders: string[] = [];
  let at = 0;
  while (!block.startsWith('\r\n', at)) {
    FIELD.lastIndex = at;
    const [field, name = '', value = ''] = FIELD.exec(block) ?? [];
    if (field === undefined || rawHeaders.length === 2 * maxFields) return undefined;
    at += field.length;
    const known = name.toLowerCase();
    headers[known] = value;
    rawHeaders.push(name, value);
    if (known === 'host') {
      if (host !== undefined || !HOST.test(value)) return undefined;
      host = value;
    } else if (known === 'connection') {
      if (!/^keep-alive$/i.test(value)) return undefined;
    } else if (NOT_OURS.has(known)) return undefined;
    else if (!readQuestion(asked, name, value)) isPlain = false;
  }
  if (host === undefined) return undefined;
  const isOneOfEach = Object.keys(headers).length === rawHeaders.length / 2;
  return { host, ...asked, isPlain, head: isOneOfEach ? { headers, rawHeaders } : undefined };
}
