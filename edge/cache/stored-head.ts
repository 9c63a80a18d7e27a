/** What is kept of an answer's head, and what a later answer without content makes of it (RFC 9111 3.1, 3.2). Pure. */
import { field, type Headers, listItems, without } from '../headers.ts';
import { NO_DIRECTIVES } from './cache-control.ts';
import { updatedBy } from './conditional.ts';
import { heuristicMs, type OriginAnswer, type RequestTerms, type Ttl, whyNotStored } from './freshness.ts';
import type { StoredObject } from './stored-object.ts';
import { type FieldOf, selectionOf } from './vary.ts';

/** A cookie that was forced into the cache would be everyone's; the rest is for caches alone, and was read. */
const NOT_STORED = new Set([
  'set-cookie',
  'set-cookie2',
  'surrogate-key',
  'cache-tag',
  'content-length',
  // Obsolete, and wrong as soon as the answer is confirmed (RFC 9111 5.5).
  'warning',
]);

export function asStored(answer: OriginAnswer): Pick<StoredObject, 'headers' | 'tags'> {
  return { headers: dated(without(answer.headers, NOT_STORED), answer), tags: tagsOf(answer.headers) };
}

export interface Confirmation {
  heuristicTtl: number | undefined;
  generation: number;
  /** Of the request that was answered so: where Vary is another now, it is for requests like this one. */
  selecting: FieldOf;
}

/** The stored answer with what a 304, or the 200 to a HEAD, says of it (RFC 9111 4.3.4, 4.3.5). */
export function confirmedBy(
  answer: OriginAnswer,
  stored: StoredObject,
  { heuristicTtl, generation, selecting }: Confirmation,
): StoredObject {
  const { requestTime, responseTime } = answer;
  const told = asStored(answer);
  const headers = updatedBy(told.headers, stored.headers);
  const confirmed: StoredObject = {
    ...stored,
    headers,
    selection: selectionOf(headers, selecting),
    tags: saysTags(answer.headers) ? told.tags : stored.tags,
    staleAt: undefined,
    requestTime,
    responseTime,
    generation,
  };
  return { ...confirmed, heuristicMs: heuristicMs(confirmed, heuristicTtl) };
}

/** Of a request that limits nothing. */
const ANYBODY: RequestTerms = { directives: NO_DIRECTIVES, authorized: false };

/** May what a later answer made of the stored one still be used for all? Its cookies are not kept, but say that it may not. */
export function isStillForAll(answer: OriginAnswer, confirmed: StoredObject, ttl: Ttl): boolean {
  const cookies = answer.headers.filter(([name]) => name === 'set-cookie');
  const why = whyNotStored(ANYBODY, { ...confirmed, headers: [...confirmed.headers, ...cookies] }, ttl);
  return why === undefined || why === 'no-freshness';
}

/** A recipient with a clock gives an answer without Date one (RFC 9110 6.6.1). */
function dated(headers: Headers, { responseTime }: OriginAnswer): Headers {
  if (field(headers, 'date') !== undefined) return headers;
  return [...headers, ['date', new Date(responseTime).toUTCString()]];
}

/** More names would make each write dear. An answer with more is not stored: a purge by one that was left out would miss it. */
const MAX_TAGS = 1_000;

export function hasTooManyTags({ headers }: OriginAnswer): boolean {
  return tagsOf(headers).length > MAX_TAGS;
}

/** Surrogate-Key is separated by spaces (and by commas, where it came more than once), Cache-Tag by commas. */
function tagsOf(headers: Headers): string[] {
  const keys = (field(headers, 'surrogate-key') ?? '').toLowerCase().split(/[\s,]+/);
  const tags = new Set([...keys.filter((key) => key !== ''), ...listItems(field(headers, 'cache-tag'))]);
  return [...tags];
}

function saysTags(headers: Headers): boolean {
  return headers.some(([name]) => name === 'surrogate-key' || name === 'cache-tag');
}
