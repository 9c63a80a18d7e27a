/**
 * Fields that speak of caching to a CDN alone, and count instead of Cache-Control and Expires: CDN-Cache-Control
 * (RFC 9213), and Surrogate-Control (W3C Note "Edge Architecture"), which origins behind Varnish and Fastly send. Pure.
 */
import { field, type Headers } from '../headers.ts';
import { type Directives, parseCacheControl } from './cache-control.ts';

export function targetedDirectives(headers: Headers): Directives | undefined {
  return (
    parseCdnCacheControl(field(headers, 'cdn-cache-control')) ??
    surrogateControl(field(headers, 'surrogate-control'))
  );
}

const KEY = '[a-z*][a-z0-9_.*-]*';
const STRING = '"(?:[ !#-\\[\\]-~]|\\\\["\\\\])*"';
const BARE = `-?\\d{1,12}\\.\\d{1,3}|@?-?\\d{1,15}|${STRING}|[A-Za-z*][!#$%&'*+.^_\`|~\\w:/-]*|:[A-Za-z0-9+/=]*:|\\?[01]`;
const PARAMETERS = `(?:; *${KEY}(?:=(?:${BARE}))?)*`;
const ITEM = `(?:${BARE})${PARAMETERS}`;
const INNER_LIST = `\\( *(?:${ITEM}(?: +${ITEM})*)? *\\)${PARAMETERS}`;
const SPACE = '[ \\t]*';
/** One member of a dictionary, and what separates it from the next (RFC 9651 3.2). */
const MEMBER = new RegExp(
  `(${KEY})(?:=(?:(${BARE})${PARAMETERS}|${INNER_LIST})|${PARAMETERS})(?:${SPACE},${SPACE}(?!$)|$)`,
  'y',
);

/** A structured dictionary. One that is empty or does not parse is as if it were not there (RFC 9213 2.2). */
function parseCdnCacheControl(value: string | undefined): Directives | undefined {
  const text = value?.replace(/^ +| +$/g, '') ?? '';
  const directives = new Map<string, string[]>();
  for (MEMBER.lastIndex = 0; MEMBER.lastIndex < text.length; ) {
    const [, key, argument = ''] = MEMBER.exec(text) ?? [];
    if (key === undefined) return undefined;
    // A time that is no integer is of the wrong type.
    if (key.includes('age') && !/^\d+$/.test(argument)) return undefined;
    // Of a repeated key the last one counts (RFC 9651 3.2), and a false one is not there.
    if (argument === '?0') directives.delete(key);
    else directives.set(key, [argument]);
  }
  return directives.size === 0 ? undefined : directives;
}

/**
 * What the Note lets a surrogate do with an answer; a directive with a parameter is meant for a named surrogate, which
 * we are not. `max-age=60+30` is fresh for 60 s, and may be used stale for 30 s more.
 */
function surrogateControl(value: string | undefined): Directives | undefined {
  if (value === undefined) return undefined;
  const mine = value.split(',').filter((member) => !member.includes(';'));
  const told = parseCacheControl(mine.join(','));
  const directives = new Map<string, string[]>();
  if (told.has('no-store') || told.has('no-store-remote')) directives.set('no-store', ['']);
  const maxAge = told.get('max-age');
  if (maxAge !== undefined) {
    const parts = maxAge.map((text) => text.split('+'));
    directives.set(
      'max-age',
      parts.map(([fresh = '']) => fresh),
    );
    const extensions = parts.flatMap(([, extension]) => (extension === undefined ? [] : [extension]));
    if (extensions.length > 0) directives.set('stale-while-revalidate', extensions);
  }
  return directives.size === 0 ? undefined : directives;
}
