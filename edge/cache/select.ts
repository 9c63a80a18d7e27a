/** Which stored variant fits a request, and whether it may answer at once. Pure. */
import type { Exchange } from '../exchange.ts';
import { field } from '../headers.ts';
import { isUsable } from './freshness.ts';
import type { StoredObject } from './stored-object.ts';
import { fits } from './vary.ts';

/** The most recent variant that was fetched for a request like this one (RFC 9111 4, 4.1). */
export function selectVariant(
  variants: readonly StoredObject[],
  exchange: Exchange,
): StoredObject | undefined {
  const suitable = variants.filter((variant) => suits(variant, exchange));
  // But an encoded one before a plain one that fits all: who takes the coding would rather have it.
  return suitable.find(({ headers }) => field(headers, 'content-encoding') !== undefined) ?? suitable[0];
}

export function suits({ selection }: StoredObject, { selecting }: Exchange): boolean {
  return selection.length === 0 || fits(selection, selecting);
}

/** Why a request has to go on to the origin, in the words of RFC 9211 2.2, or nothing when `stored` answers it. */
export function whyForward(
  exchange: Exchange,
  variants: readonly StoredObject[],
  stored: StoredObject | undefined,
  mustRevalidate: (object: StoredObject) => boolean,
  now: number,
): 'uri-miss' | 'vary-miss' | 'stale' | 'request' | undefined {
  if (stored === undefined) return variants.length === 0 ? 'uri-miss' : 'vary-miss';
  const { ttl } = exchange.rule.rule;
  if (mustRevalidate(stored)) return 'stale';
  if (isUsable(exchange.terms, stored, ttl, now)) return undefined;
  return isUsable(ANY_TERMS, stored, ttl, now) ? 'request' : 'stale';
}

const ANY_TERMS = { directives: new Map(), authorized: false };

/** What tells apart fetches that may not be shared: the key, and the values of all fields that known variants differ in. */
export function joinIdOf(key: string, variants: readonly StoredObject[], { selecting }: Exchange): string {
  const names = new Set(variants.flatMap(({ selection }) => selection.map(([name]) => name)));
  if (names.size === 0) return key;
  return [key, ...[...names].sort().map((name) => `${name}=${selecting(name) ?? ''}`)].join('\n');
}
