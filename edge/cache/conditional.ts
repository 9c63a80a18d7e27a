/** Conditional requests against a stored answer (RFC 9110 13). Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import { field, type Headers } from '../headers.ts';
import { httpDate } from './http-date.ts';

/** Is the client's copy still the one we hold? Then 304 is the answer (RFC 9110 13.2.2). */
export function clientHasIt(request: IncomingHttpHeaders, stored: Headers, now: number): boolean {
  const noneMatch = request['if-none-match'];
  if (noneMatch !== undefined) {
    const etag = field(stored, 'etag');
    if (noneMatch.trim() === '*') return true;
    return etag !== undefined && entityTags(noneMatch).some((tag) => opaque(tag) === opaque(etag));
  }
  const since = httpDate(request['if-modified-since'], now);
  // Without Last-Modified it counts when the answer was made (RFC 9111 4.3.2).
  const modified = httpDate(field(stored, 'last-modified') ?? field(stored, 'date'), now);
  return since !== undefined && modified !== undefined && modified <= since;
}

/** If-Range: a range is served only of the representation that the client knows; strong comparison (RFC 9110 13.1.5). */
export function rangeStillHolds(ifRange: string | undefined, stored: Headers, now: number): boolean {
  if (ifRange === undefined) return true;
  if (/^(W\/)?"/.test(ifRange)) return !ifRange.startsWith('W/') && ifRange === field(stored, 'etag');
  const known = httpDate(ifRange, now);
  return known !== undefined && known === strongDate(stored, now);
}

/** Last-Modified where it tells versions apart: of an answer that was made a second later at least (RFC 9110 8.8.2.2). */
function strongDate(stored: Headers, now: number): number | undefined {
  const modified = httpDate(field(stored, 'last-modified'), now);
  const made = httpDate(field(stored, 'date'), now);
  const isStrong = modified !== undefined && made !== undefined && made - modified >= 1_000;
  return isStrong ? modified : undefined;
}

/** Fields that ask the origin whether a stored answer still holds (RFC 9111 4.3.1). */
export function validators(stored: Headers): Headers {
  const etag = field(stored, 'etag');
  const modified = field(stored, 'last-modified');
  return [
    ...(etag === undefined ? [] : [['if-none-match', etag] as const]),
    ...(modified === undefined ? [] : [['if-modified-since', modified] as const]),
  ];
}

/**
 * A 304 speaks of the stored answer unless it names another entity tag, or, without one, another date (RFC 9111 4.3.4): an
 * origin that went back to an older file answers 304 to the date of the newer one.
 */
export function confirms(notModified: Headers, stored: Headers): boolean {
  const isSame = (name: string) => {
    const told = field(notModified, name);
    const held = field(stored, name);
    return told === undefined || held === undefined || opaque(told) === opaque(held);
  };
  return isSame('etag') && (field(notModified, 'etag') !== undefined || isSame('last-modified'));
}

/**
 * Does the 200 to a HEAD tell of the stored bytes? Validators and length that it has must fit (RFC 9111 4.3.5), and what a
 * GET would be answered with is no error or redirect any more.
 */
export function headConfirms(
  head: Headers,
  { status, headers: stored, size }: { status: number; headers: Headers; size: number },
): boolean {
  if (status !== 200) return false;
  const fits = (name: string) => {
    const told = field(head, name);
    return told === undefined || told === field(stored, name);
  };
  const length = field(head, 'content-length');
  return fits('etag') && fits('last-modified') && (length === undefined || Number(length) === size);
}

/**
 * Fields of a stored answer that a 304 must not change (RFC 9111 3.2): they describe the stored bytes, or, on the 304
 * itself, its own empty content.
 */
const OF_THE_BYTES = new Set([
  'content-length',
  'content-encoding',
  'content-range',
  'content-md5',
  'content-digest',
  'repr-digest',
  'digest',
  'etag',
]);

/** The stored fields with those of a 304 put in their place (RFC 9111 3.2). */
export function updatedBy(notModified: Headers, stored: Headers): Headers {
  const news = notModified.filter(([name]) => !OF_THE_BYTES.has(name));
  const replaced = new Set(news.map(([name]) => name));
  // An Age that came with the old answer says nothing about the confirmed one.
  return [...stored.filter(([name]) => !replaced.has(name) && name !== 'age'), ...news];
}

function entityTags(list: string): string[] {
  return list.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

/** Weak comparison looks at the opaque part alone (RFC 9110 8.8.3.2). */
function opaque(tag: string): string {
  return tag.replace(/^W\//, '');
}
