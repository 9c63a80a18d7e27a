/**
 * A redirect to the very thing that was asked for, under the other scheme or another hostname of the domain: origins
 * answer so by X-Forwarded-Proto and Host. Neither is part of the key, so stored it would send those in circles who come
 * as they should. Pure.
 */
import { field, type Headers } from '../headers.ts';
import type { CacheKey } from './key.ts';

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function redirectsToItself({ path }: CacheKey, answer: { status: number; headers: Headers }): boolean {
  const told = field(answer.headers, 'location');
  if (told === undefined || !REDIRECTS.has(answer.status)) return false;
  const location = URL.parse(told, `http://self${path}`);
  // What only a query tells apart is not worth storing either.
  return location?.pathname === URL.parse(`http://self${path}`)?.pathname;
}
