/**
 * Requests for what a rule has stored in slices: only the slices that are wanted are fetched, each once for all who wait,
 * and any of them is served while others are on their way.
 *
 *     range ──> slice of its first byte ──> head: length and validator of the object
 *                                            └──> body: slice by slice, as long as they belong together
 *
 * Where the origin has no ranges, or no strong validator, the ordinary way is taken (fetching.ts).
 */
import type { Clock } from '../../lib/clock.ts';
import type { ByteSource } from '../cache/byte-source.ts';
import type { Fill, Fills, Outcome } from '../cache/fill.ts';
import { FIRST_REQUEST } from '../cache/fill.ts';
import type { HitForMiss } from '../cache/hit-for-miss.ts';
import { type CacheKey, sliceKey } from '../cache/key.ts';
import type { PurgeScope } from '../cache/purge-scope.ts';
import { parseRange } from '../cache/range.ts';
import { joinIdOf, selectVariant, suits, whyForward } from '../cache/select.ts';
import { asSlice, belongTogether, NotSliced, rangeOf, sliceAt } from '../cache/slice.ts';
import { mayUseOnError, mayUseWhileRevalidating } from '../cache/stale.ts';
import type { Store } from '../cache/store.ts';
import { CorruptBody, type StoredObject } from '../cache/stored-object.ts';
import type { Exchange } from '../exchange.ts';
import type { OriginResponse } from '../origin/origin.ts';
import type { Answer } from './answer.ts';
import { type FillSources, fillRequest } from './fill-request.ts';
import { mendedSource } from './mended-source.ts';
import type { Passing } from './passing.ts';
import type { Forward, Serving } from './serving.ts';
import { type SliceBody, slicedSource } from './sliced-source.ts';

export interface SlicingParts extends FillSources {
  store: Store;
  fills: Fills;
  serving: Serving;
  passing: Passing;
  /** Keys whose origin was found to have no slices. */
  unsliced: HitForMiss;
  invalidate: (scopes: readonly PurgeScope[]) => void;
  clock: Clock;
}

/** Nothing where the ordinary way is to be taken. */
export type Slicing = (exchange: Exchange, key: CacheKey) => Promise<Answer | undefined>;

/** A slice that is there, or is coming; who has it must open it or close it. */
interface Slice {
  slice: number;
  object: StoredObject;
  forward: Forward | undefined;
  reader: ByteSource | undefined;
  /** It is used while the origin is asked about it. */
  isStale?: boolean;
}

/** How often a slice is asked for that went away while it was being opened. */
const TRIES = 3;

export function createSlicing(parts: SlicingParts): Slicing {
  const { store, fills, serving, passing, unsliced, invalidate, clock } = parts;

  return async function sliced(exchange, key) {
    if (!concerns(exchange) || unsliced.has(key.id)) return undefined;
    if (!(exchange.request.prefetch || store.admits(key))) {
      return await passing.pass(exchange, { hit: false, fwd: 'uri-miss', detail: FIRST_REQUEST });
    }
    const first = sliceAt(firstByte(exchange));
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
      return lead.isStale ? { ...answer, result: 'stale' } : answer;
    } finally {
      // An answer without a body.
      if (begun !== undefined && !Buffer.isBuffer(begun)) await begun.close();
    }
  }

  async function bodyOf(
    exchange: Exchange,
    key: CacheKey,
    { slice, object, reader }: Slice,
  ): Promise<SliceBody> {
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

  /** A slice that is stored and fresh, or one that is being fetched; nothing where there are no slices. */
  async function take(exchange: Exchange, whole: CacheKey, slice: number): Promise<Slice | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      const { stored, fwd, start } = look(exchange, whole, slice);
      if (stored !== undefined && fwd === undefined) {
        return { slice, object: stored, forward: undefined, reader: undefined };
      }
      if (stored !== undefined && fwd === 'stale' && isUsableMeanwhile(exchange, stored)) {
        inBackground(start);
        return { slice, object: stored, forward: undefined, reader: undefined, isStale: true };
      }
      if (exchange.request.method === 'HEAD') return undefined;
      const { fill, joined } = start();
      const outcome = await fill.outcome;
      const forward: Forward = {
        fwd: fwd ?? 'uri-miss',
        ...(joined ? { collapsed: true } : { stored: true }),
      };
      const taken = takeOutcome(exchange, outcome, { forward, stored, joined });
      if (taken !== 'again') return taken && { slice, ...taken };
    }
    return undefined;
  }

  function takeOutcome(
    exchange: Exchange,
    outcome: Outcome,
    { forward, stored, joined }: { forward: Forward; stored: StoredObject | undefined; joined: boolean },
  ): Omit<Slice, 'slice'> | undefined | 'again' {
    switch (outcome.kind) {
      case 'failed':
        if (outcome.failure.cause instanceof NotSliced) return undefined;
        if (stored === undefined || !isUsableOnError(exchange, stored)) throw outcome.failure;
        return { object: stored, forward: { fwd: 'stale', detail: outcome.failure.code }, reader: undefined };
      case 'unshareable':
        if (!joined) outcome.response.body.abandon();
        return undefined;
      case 'confirmed':
        return {
          object: outcome.object,
          forward: { fwd: forward.fwd, fwdStatus: 304 },
          reader: undefined,
        };
      case 'filling': {
        if (!suits(outcome.object, exchange)) return undefined;
        const reader = outcome.body.reader(0);
        // All of it came already: it is in the store now.
        return reader === undefined ? 'again' : { object: outcome.object, forward, reader };
      }
    }
  }

  function isUsableOnError(exchange: Exchange, stored: StoredObject): boolean {
    return (
      !store.purges.mustRevalidate(stored) &&
      mayUseOnError(exchange.terms, stored, exchange.rule.rule, clock.now())
    );
  }

  function isUsableMeanwhile(exchange: Exchange, stored: StoredObject): boolean {
    return (
      !store.purges.mustRevalidate(stored) &&
      mayUseWhileRevalidating(exchange.terms, stored, exchange.rule.rule, clock.now())
    );
  }

  /** One for all. What it brings is stored; a failure was counted where it happened. */
  function inBackground(start: () => { fill: Fill; joined: boolean }): void {
    const { fill, joined } = start();
    if (joined) return;
    fill.outcome.then(
      (outcome) => {
        if (outcome.kind === 'unshareable') outcome.response.body.abandon();
      },
      () => {},
    );
  }

  function ahead(exchange: Exchange, whole: CacheKey, slice: number): void {
    const { stored, fwd, start } = look(exchange, whole, slice);
    if (stored === undefined || fwd !== undefined) inBackground(start);
  }

  function look(exchange: Exchange, whole: CacheKey, slice: number) {
    const key = sliceKey(whole, slice);
    const variants = store.lookup(key);
    const stored = selectVariant(variants, exchange);
    const mustRevalidate = (object: StoredObject) => store.purges.mustRevalidate(object);
    const fwd = whyForward(exchange, variants, stored, mustRevalidate, clock.now());
    const start = (): { fill: Fill; joined: boolean } => {
      const joinId = joinIdOf(key.id, variants, exchange);
      const running = fills.find(joinId);
      if (running !== undefined) return { fill: running, joined: true };
      const usableOnError = stored !== undefined && isUsableOnError(exchange, stored);
      const wanted = { key, joinId, joinable: true, stale: stored, usableOnError, admitted: true };
      const read = (response: OriginResponse) => readSlice(response, slice);
      return {
        fill: fills.start(fillRequest(parts, exchange, { ...wanted, asks: rangeOf(slice), read })),
        joined: false,
      };
    };
    return { stored, fwd, start };
  }
}

function readSlice(response: OriginResponse, slice: number): OriginResponse {
  if (response.status === 304) return response;
  try {
    return asSlice(response, slice);
  } catch (error) {
    response.body.abandon();
    throw error;
  }
}

/** Requests that speak for one client, or want the origin’s word, go the ordinary way. */
function concerns({ rule, request, terms }: Exchange): boolean {
  const asks = ['no-store', 'no-cache', 'max-age', 'min-fresh', 'only-if-cached'];
  return (
    rule.rule.slices === true &&
    (request.method === 'GET' || request.method === 'HEAD') &&
    !terms.authorized &&
    !asks.some((directive) => terms.directives.has(directive))
  );
}

/** Where a range begins; the length is not known yet, so that one from the end begins with the first slice. */
function firstByte({ request }: Exchange): number {
  const spec = parseRange(request.headers.range);
  return spec === undefined || 'suffix' in spec ? 0 : spec.first;
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
