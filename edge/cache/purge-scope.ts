/** What a purge covers, and whether a stored answer lies in it. Pure. */
import type { PurgeCommand } from '../../contract/stream/messages.ts';
import { linearRegExp } from '../../lib/linear-regexp.ts';
import { BadRequest, normalHost, splitUrl } from '../request/target.ts';
import { type CacheKey, countedQuery, parseQueryMode } from './key.ts';

export type PurgeScope = { domain: string } & (
  | { by: 'everything' }
  | { by: 'url'; path: string; query: string }
  /** `query` where the prefix reaches into it. */
  | { by: 'prefix'; path: string; query: string }
  /** In lower case. */
  | { by: 'tag'; tag: string }
  /** Of what matches path and query anywhere. */
  | { by: 'regex'; regex: string }
);

/** What is asked of a stored answer, or of one that is being fetched: its tags are not known before its head has come. */
export interface Purgeable {
  key: CacheKey;
  tags: readonly string[] | undefined;
}

/**
 * An entry is covered by a URL when it could have answered it: the entry remembers which part of a query counted when
 * it was stored, so a rule that changed since hides nothing from a purge.
 */
export function covers(scope: PurgeScope, { key, tags }: Purgeable): boolean {
  if (scope.domain !== key.domain) return false;
  switch (scope.by) {
    case 'everything':
      return true;
    case 'url':
      return scope.path === key.path && countedQuery(scope.query, parseQueryMode(key.mode)) === key.query;
    case 'prefix':
      if (scope.query === '') return key.path.startsWith(scope.path);
      // Where only a part of the query counted, what the entry was fetched with is not known: it goes.
      return scope.path === key.path && (key.mode !== 'Keep' || key.query.startsWith(scope.query));
    case 'tag':
      // An answer whose tags are still to come may turn out to have this one.
      return tags?.includes(scope.tag) ?? true;
    case 'regex':
      return compiled(scope.regex).test(key.path + key.query);
  }
}

/** The expression of the purge that is being worked off: thousands of keys are asked about the same one. */
let last = { text: '', pattern: linearRegExp('') };

function compiled(text: string): RegExp {
  if (last.text !== text) last = { text, pattern: linearRegExp(text) };
  return last.pattern;
}

/** The scopes of a command. URLs of hosts that are not the domain's, and such as are none, are left out and named. */
export function scopesOf(
  { domain, target }: PurgeCommand,
  isHostOfDomain: (host: string) => boolean,
): { scopes: PurgeScope[]; foreign: string[] } {
  const foreign: string[] = [];
  const places = (by: 'url' | 'prefix', urls: readonly string[]) =>
    urls.flatMap((text): PurgeScope[] => {
      const place = placeOf(text);
      if (place !== undefined && isHostOfDomain(place.host)) {
        return [{ domain, by, path: place.path, query: place.query }];
      }
      foreign.push(text);
      return [];
    });
  const scopes = (): PurgeScope[] => {
    switch (target.by) {
      case 'urls':
        return places('url', target.urls);
      case 'prefixes':
        return places('prefix', target.prefixes);
      case 'tags':
        return target.tags.map((tag) => ({ domain, by: 'tag', tag: tag.toLowerCase() }));
      case 'regex':
        return [{ domain, by: 'regex', regex: target.regex }];
      case 'everything':
        return [{ domain, by: 'everything' }];
    }
  };
  return { scopes: scopes(), foreign };
}

/** Not by URL.parse: the path must take the form that requests get, which keeps `//` and `%2F` as they are. */
function placeOf(text: string): { host: string; path: string; query: string } | undefined {
  const [, authority, rest] = /^https?:\/\/(?:[^/?#@]*@)?([^/?#]+)(.*)$/is.exec(text) ?? [];
  if (authority === undefined || rest === undefined) return undefined;
  try {
    return { host: normalHost(authority), ...splitUrl(rest.replace(/[^\x21-\x7e]/gu, encodeURIComponent)) };
  } catch (error) {
    if (error instanceof BadRequest) return undefined;
    throw error;
  }
}
