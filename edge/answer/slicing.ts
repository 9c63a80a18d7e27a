/**
 * Requests for what a rule has stored in slices: only the slices that are wanted are fetched, each once for all who wait,
 * and any of them is served while others are on their way.
 *
 *     range ──> slice of its first byte ──> head: length and validator of the object
 *                                            └──> body: slice by slice, as long as they belong together
 *
 * Where the origin has no ranges, or no strong validator, the ordinary way is taken (fetching.ts).
 */
import { FIRST_REQUEST } from '../cache/fill.ts';
import type { HitForMiss } from '../cache/hit-for-miss.ts';
import type { CacheKey } from '../cache/key.ts';
import type { PurgeScope } from '../cache/purge-scope.ts';
import { belongTogether, firstSlice, SLICE_BYTES } from '../cache/slice.ts';
import { CorruptBody, type StoredObject } from '../cache/stored-object.ts';
import type { Exchange } from '../exchange.ts';
import type { Answer } from './answer.ts';
import { mendedSource } from './mended-source.ts';
import type { Passing } from './passing.ts';
import type { Serving } from './serving.ts';
import { type SliceBody, slicedSource } from './sliced-source.ts';
import { createSliceTaking, type Slice, type SliceTakingParts, TRIES } from './taking-slices.ts';

export interface SlicingParts extends SliceTakingParts {
  serving: Serving;
  passing: Passing;
  /** Keys whose origin was found to have no slices. */
  unsliced: HitForMiss;
  invalidate: (scopes: readonly PurgeScope[]) => void;
}

/** Nothing where the ordinary way is to be taken. */
export type Slicing = (exchange: Exchange, key: CacheKey) => Promise<Answer | undefined>;

export function createSlicing(parts: SlicingParts): Slicing {
  const { store, serving, passing, unsliced, invalidate } = parts;
  const { take, isThere, ahead } = createSliceTaking(parts);

  return async function sliced(exchange, key) {
    if (!concerns(exchange) || unsliced.has(key.id)) return undefined;
    if (!(exchange.request.prefetch || store.admits(key))) {
      return await passing.pass(exchange, { hit: false, fwd: 'uri-miss', detail: FIRST_REQUEST });
    }
    const first = firstSlice(exchange.request.headers.range);
    // One that begins behind the end is answered by what the first slice tells of the length.
    const lead = (await take(exchange, key, first)) ?? (first > 0 ? await take(exchange, key, 0) : undefined);
    if (lead === undefined) {
      // A HEAD fetches none, and finds out nothing.
      if (exchange.request.method === 'GET') unsliced.mark(key.id);
      return undefined;
    }
    return await answerFrom(exchange, key, lead);
  };

  async function answerFrom(exchange: Exchange, key: CacheKey, lead: Slice): Promise<Answer> {
    const { object, forward } = lead;
    const { total = 0 } = object;
    const slices = {
      open: (slice: number) => openSlice(exchange, key, slice, object),
      ahead: (slice: number) => ahead(exchange, key, slice),
    };
    let begun: SliceBody | undefined = await bodyOf(exchange, key, lead);
    try {
      const answer = await serving.sliced(exchange, { ...object, size: total }, forward, (last) => {
        const first = begun && { slice: lead.slice, body: begun };
        begun = undefined;
        return slicedSource(slices, { total, last, begun: first });
      });
      if (lead.isStale) return { ...answer, result: 'stale' };
      // Who prefetches reads no hit: it is one only where all of it is there.
      const isHit = !exchange.request.prefetch || areAllThere(exchange, key, total);
      return isHit ? answer : { ...answer, result: 'miss' };
    } finally {
      // An answer without a body.
      if (begun !== undefined && !Buffer.isBuffer(begun)) await begun.close();
    }
  }

  function areAllThere(exchange: Exchange, key: CacheKey, total: number): boolean {
    for (let slice = 0; slice * SLICE_BYTES < total; slice++)
      if (!isThere(exchange, key, slice)) return false;
    return true;
  }

  async function bodyOf(exchange: Exchange, key: CacheKey, lead: Slice): Promise<SliceBody> {
    const { slice, object, reader } = lead;
    const body = reader ?? (await store.body(object));
    if (reader !== undefined || Buffer.isBuffer(body)) return body;
    return mendedSource(object, body, () => openSlice(exchange, key, slice, object));
  }

  /** The body of a slice of the object that the answer began with. */
  async function openSlice(
    exchange: Exchange,
    key: CacheKey,
    slice: number,
    of: StoredObject,
  ): Promise<SliceBody> {
    for (let tries = 0; tries < TRIES; tries++) {
      const found = await take(exchange, key, slice);
      if (found === undefined) break;
      if (belongTogether(found.object, of)) {
        const body = await orDamaged(bodyOf(exchange, key, found));
        if (body !== undefined) return body;
        continue;
      }
      await found.reader?.close();
      // An old one among newer ones is fetched again; a newer one means that the answer has begun with what is old.
      if (found.object.responseTime > of.responseTime) break;
      store.drop(found.object);
    }
    const { path, query, domain } = key;
    invalidate([{ domain, by: 'url', path, query }]);
    throw new Error(`slice ${slice} of ${path} is not of the same object as the first one`);
  }
}

/** Requests that speak for one client, or must not be asked about, go the ordinary way. */
function concerns({ rule, request, terms }: Exchange): boolean {
  const asks = ['no-store', 'only-if-cached'];
  return (
    rule.rule.slices === true &&
    (request.method === 'GET' || request.method === 'HEAD') &&
    !terms.authorized &&
    !asks.some((directive) => terms.directives.has(directive))
  );
}

/** Nothing where it was found damaged: it is gone from the store then, and may be asked for anew. */
async function orDamaged<T>(body: Promise<T>): Promise<T | undefined> {
  try {
    return await body;
  } catch (error) {
    if (error instanceof CorruptBody) return undefined;
    throw error;
  }
}
