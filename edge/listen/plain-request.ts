/**
 * The requests that the fast path takes: one whole GET or HEAD in one piece, with a safe target and no field that could
 * change the answer. A strict subset of what node:http takes, and read in the same way; whatever else comes is not
 * refused here, it is not ours. Pure.
 */
import type { Limits } from '../limits/limits.ts';

export interface PlainRequest {
  method: 'GET' | 'HEAD';
  url: string;
  host: string;
  /** The value of a Range with one range; only with GET, for which alone it means something (RFC 9110 14.2). */
  range?: string | undefined;
  /** All of it, for who writes requests down. */
  text: string;
}

type Fields = Pick<PlainRequest, 'host' | 'range'>;

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
const HOST = /^[A-Za-z0-9.-]+(?::\d{1,5})?$/;
/** Fields that neither the cache nor the framing looks at. A stored answer that varies on one of them is not ours. */
const WITHOUT_EFFECT =
  /^(?:accept|accept-encoding|accept-language|cookie|dnt|origin|priority|referer|save-data|sec-ch-ua[a-z-]*|sec-fetch-[a-z]+|sec-gpc|upgrade-insecure-requests|user-agent)$/i;

/** Of HTTP/2: whether a field, the target, the host are of the same subset. */
export const hasNoEffect = (name: string) => WITHOUT_EFFECT.test(name);
export const isPlainTarget = (target: string) => TARGET.test(target);
export const isPlainHost = (host: string) => HOST.test(host);

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
    if (line === undefined || url === undefined || (method !== 'GET' && method !== 'HEAD')) return undefined;
    if (url.length > uriLength) return undefined;
    const fields = fieldsOf(text.slice(line.length));
    if (fields === undefined || (method === 'HEAD' && fields.range !== undefined)) return undefined;
    return { method, url, host: fields.host, range: fields.range, text };
  };
}

/** Of a block of fields that are all plain, up to and with the empty line, and with nothing behind it. */
function readBlock(block: string, maxFields: number): Fields | undefined {
  let host: string | undefined;
  let range: string | undefined;
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
    } else if (/^range$/i.test(name)) {
      if (range !== undefined || !ONE_RANGE.test(value)) return undefined;
      range = value;
    } else if (!WITHOUT_EFFECT.test(name) && !(/^connection$/i.test(name) && /^keep-alive$/i.test(value))) {
      return undefined;
    }
  }
  return host !== undefined && at + 2 === block.length ? { host, range } : undefined;
}
