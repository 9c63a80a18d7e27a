/**
 * The primary key of stored answers: domain, path and the part of the query that counts. Scheme and alias do not.
 * All variants (Vary) of a URL lie below one key. Pure.
 */
import type { QueryKey } from '../../contract/plans/edge-plan.ts';

export interface CacheKey {
  /** The CdnDomain's uid. */
  domain: string;
  path: string;
  /** What is left of the query under `mode`, with its `?`. */
  query: string;
  /** The rule's query setting as text, so that a purge knows which other queries this entry answers. */
  mode: string;
  /** Which slice, where the answer is stored in slices (slices.ts). */
  slice?: number;
  /** All of the above as one string. */
  id: string;
}

export function cacheKey(domain: string, path: string, query: string, rule: QueryKey): CacheKey {
  const mode = queryModeText(rule);
  const counted = countedQuery(query, rule);
  return keyOf({ domain, path, query: counted, mode });
}

/** Its parts hold no spaces, so that no two keys are spelled alike. */
export function keyOf(parts: Omit<CacheKey, 'id'>): CacheKey {
  const { domain, path, query, mode, slice } = parts;
  return { ...parts, id: `${domain} ${mode} ${path}${query}${slice === undefined ? '' : ` ${slice}`}` };
}

/** The key of a slice of what lies below `key`. */
export function sliceKey({ domain, path, query, mode }: CacheKey, slice: number): CacheKey {
  return keyOf({ domain, path, query, mode, slice });
}

/** The parameters that are part of the key, in the order they came. */
export function countedQuery(query: string, { mode, names }: QueryKey): string {
  if (mode === 'Keep' || query === '') return query;
  if (mode === 'Ignore') return '';
  const listed = new Set(names);
  const kept = query
    .slice(1)
    .split('&')
    .filter((parameter) => parameter !== '' && listed.has(parameterName(parameter)) === (mode === 'Allow'));
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

/** `%76=1` is `v=1`: an origin decodes both alike, so the key must. */
function parameterName(parameter: string): string {
  const [name = ''] = parameter.split('=', 1);
  if (!/[%+]/.test(name)) return name;
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}

export function queryModeText({ mode, names }: QueryKey): string {
  return names.length === 0 ? mode : `${mode}:${names.map(encodeURIComponent).join(',')}`;
}

export function parseQueryMode(text: string): QueryKey {
  const [mode = '', names] = text.split(':');
  if (mode !== 'Keep' && mode !== 'Ignore' && mode !== 'Allow' && mode !== 'Deny') {
    throw new Error(`not a query mode: ${text}`);
  }
  return { mode, names: names === undefined ? [] : names.split(',').map(decodeURIComponent) };
}
