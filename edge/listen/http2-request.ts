/** A request of HTTP/2 in the form that HTTP/1 gives it: pseudo-header fields are method, target and Host. Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import type { IncomingHttpHeaders as Http2Headers, OutgoingHttpHeaders } from 'node:http2';

export interface RequestHead {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  /** As RFC 9113 6.5.2 counts them (SETTINGS_MAX_HEADER_LIST_SIZE). */
  bytes: number;
}

/** RFC 9113 6.5.2: what a field costs beside its name and value. */
const FIELD_OVERHEAD = 32;

/** Which pseudo-header fields there may be, and that they come first, is the parser's to see to. */
export function requestHead(headers: Http2Headers, raw: readonly string[]): RequestHead {
  const {
    ':method': method = '',
    ':path': url = '',
    ':authority': authority,
    ':scheme': _,
    ...rest
  } = headers;
  const rawHeaders: string[] = authority === undefined ? [] : ['host', authority];
  let bytes = 0;
  let cookie: string | undefined;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const [name = '', value = ''] = [raw[index], raw[index + 1]];
    bytes += name.length + value.length + FIELD_OVERHEAD;
    if (name.startsWith(':')) continue;
    // RFC 9113 8.2.3: in HTTP/1 it is one field.
    if (name === 'cookie') cookie = cookie === undefined ? value : `${cookie}; ${value}`;
    // RFC 9113 8.3.1: another Host than :authority makes two of them, and two are refused.
    else if (name !== 'host' || value !== authority) rawHeaders.push(name, value);
  }
  if (cookie !== undefined) rawHeaders.push('cookie', cookie);
  const host = authority ?? rest.host;
  return { method, url, headers: host === undefined ? rest : { ...rest, host }, rawHeaders, bytes };
}

/** RFC 9113 8.2.2: what is about the connection is none of a stream's. */
const OF_CONNECTIONS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** To Node's `[name, value …]`, with the status first. */
export function responseFields(
  status: number,
  headers: readonly (readonly [name: string, value: string])[],
): string[] {
  const fields = [':status', String(status)];
  for (const [name, value] of headers) if (!OF_CONNECTIONS.has(name)) fields.push(name, value);
  return fields;
}

/** To Node's object, which an interim answer has to be: several fields of one name, such as Link, are one with a list. */
export function interimFields(
  status: number,
  headers: readonly (readonly [name: string, value: string])[],
): OutgoingHttpHeaders {
  const fields = new Map<string, string[]>([[':status', [String(status)]]]);
  for (const [name, value] of headers) fields.set(name, [...(fields.get(name) ?? []), value]);
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}
