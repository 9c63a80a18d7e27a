/**
 * The requests that the fast path takes: one whole GET or HEAD in one piece, with a safe target and no field that could
 * change the answer. A strict subset of what node:http takes, and read in the same way; whatever else comes is not
 * refused here, it is not ours. Pure.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Limits } from '../limits/limits.ts';

export interface PlainRequest extends Question {
  method: 'GET' | 'HEAD';
  url: string;
  host: string;
  /** All of it, for who writes requests down. */
  text: string;
}

/** What of its object a request asks for, where that is not simply all of it; one of these at most. */
export interface Question {
  /** The value of a Range with one range; only with GET, for which alone it means something (RFC 9110 14.2). */
  range?: string;
  /** The copy that a browser has. */
  has?: Pick<IncomingHttpHeaders, Condition>;
}

type Condition = 'if-none-match' | 'if-modified-since';

type Fields = Question & Pick<PlainRequest, 'host'>;

/** Longer ones are rare. */
const MAX_BYTES = 4_096;
/** Header blocks that are known to be plain. Clients send the same one with each request of a connection. */
const KNOWN_BLOCKS = 1_000;
const MAX_KNOWN_CHARS = 1_024;

/** Nothing in it that any parser would read in another way; a dot segment or a bad escape is for the target's reader. */
const REQUEST_LINE = /^(GET|HEAD) (\/[A-Za-z0-9._~!$&'()*+,;=:@/%?-]*) HTTP\/1\.1\r\n/;
const TARGET = /^\/[A-Za-z0-9._~!$&'()*+,;=:@/%?-]*$/;
const FIELD = /([A-Za-z-]+): ([!-~](?:[ -~]*[!-~])?)\r\n/y;
const ONE_RANGE = /^bytes=(?:\d{1,15}-\d{0,15}|-\d{1,15})$/;
/** Entity tags, or any; a date, whose form is not looked at here (RFC 9110 8.8.3, 5.6.7). */
const CONDITIONS: Record<Condition, RegExp> = {
  'if-none-match': /^(?:\*|(?:W\/)?"[!#-~]*"(?:, ?(?:W\/)?"[!#-~]*")*)$/,
  'if-modified-since': /^[A-Za-z0-9,: -]+$/,
};
const HOST = /^[A-Za-z0-9.-]+(?::\d{1,5})?$/;
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

export type ReadPlainRequest = (bytes: Buffer) => PlainRequest | undefined;

/** What is beyond a limit is not plain: to refuse it is for the ordinary path. */
export function plainRequestReader({
  headerBytes,
  headerCount,
  uriLength,
}: Pick<Limits, 'headerBytes' | 'headerCount' | 'uriLength'>): ReadPlainRequest {
  const maxBytes = Math.min(MAX_BYTES, headerBytes);
  const blocks = new Map<string, Fields>();

  function fieldsOf(block: string): Fields | undefined {
    const known = blocks.get(block);
    if (known !== undefined) return known;
    const fields = readBlock(block, headerCount);
    if (fields === undefined || block.length > MAX_KNOWN_CHARS) return fields;
    if (blocks.size >= KNOWN_BLOCKS) blocks.clear();
    blocks.set(block, fields);
    return fields;
  }

  return function readPlainRequest(bytes) {
    if (bytes.length > maxBytes) return undefined;
    const text = bytes.toString('latin1');
    const [line, method, url] = REQUEST_LINE.exec(text) ?? [];
    if (line === undefined || url === undefined || url.length > uriLength) return undefined;
    const fields = fieldsOf(text.slice(line.length));
    return fields && isPlainQuestion(method, fields) ? { method, url, ...fields, text } : undefined;
  };
}

/** Of a block of fields that are all plain, up to and with the empty line, and with nothing behind it. */
function readBlock(block: string, maxFields: number): Fields | undefined {
  let host: string | undefined;
  const asked: Question = {};
  let at = 0;
  for (let count = 1; !block.startsWith('\r\n', at); count++) {
    if (count > maxFields) return undefined;
    FIELD.lastIndex = at;
    const [field, name = '', value = ''] = FIELD.exec(block) ?? [];
    if (field === undefined) return undefined;
    at += field.length;
    if (/^host$/i.test(name)) {
      if (host !== undefined || !HOST.test(value)) return undefined;
      host = value;
    } else if (/^connection$/i.test(name)) {
      if (!/^keep-alive$/i.test(value)) return undefined;
    } else if (!readQuestion(asked, name, value)) return undefined;
  }
  return host !== undefined && at + 2 === block.length ? { host, ...asked } : undefined;
}
