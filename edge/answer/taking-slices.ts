/**
 * One slice of an object for one request: as it is stored, or as it is being fetched, once for all who wait for it.
 *
 *     stored? ── fresh ──────────────────────────────> its object
 *        │  └── stale, and still to be used ─────────> its object, and one fetch asks about it
 *        └── else ──> the fetch that runs, or a new one ──> its outcome
 */
import type { Clock } from '../../lib/clock.ts';
import type { ByteSource } from '../cache/byte-source.ts';
import type { Fill, Fills, Outcome } from '../cache/fill.ts';
import { type CacheKey, sliceKey } from '../cache/key.ts';
import { joinIdOf, selectVariant, suits, whyForward } from '../cache/select.ts';
import { asSlice, NotSliced, rangeOf } from '../cache/slice.ts';
import { FAILURES, mayUseOnError, mayUseWhileRevalidating } from '../cache/stale.ts';
import type { Store } from '../cache/store.ts';
import type { StoredObject } from '../cache/stored-object.ts';
import type { Exchange } from '../exchange.ts';
import { field } from '../headers.ts';
import type { OriginFailure } from '../origin/failure.ts';
import type { OriginResponse } from '../origin/origin.ts';
import { type FillSources, fillRequest } from './fill-request.ts';
import type { Forward } from './serving.ts';

/** One that is there, or is coming; who has it must open it or close it. */
export interface Slice {
  slice: number;
  object: StoredObject;
  forward: Forward | undefined;
  reader: ByteSource | undefined;
  /** It is used while the origin is asked about it. */
  isStale?: boolean;
}

export interface SliceTakingParts extends FillSources {
  store: Store;
  fills: Fills;
  clock: Clock;
}

export interface SliceTaking {
  /** Nothing where there are no slices. `whole`: the key of the object that it is of. */
  take: (exchange: Exchange, whole: CacheKey, slice: number) => Promise<Slice | undefined>;
  /** It is there and fresh. */
  isThere: (exchange: Exchange, whole: CacheKey, slice: number) => boolean;
  /** Has it fetched, where it is not there and fresh. */
  ahead: (exchange: Exchange, whole: CacheKey, slice: number) => void;
}

/** What is known of a slice before anything is asked. */
interface Found {
  variants: readonly StoredObject[];
  stored: StoredObject | undefined;
  /** Why it cannot answer at once. */
  fwd: Forward['fwd'] | undefined;
}

interface Started {
  fill: Fill;
  joined: boolean;
}

/** How often one is asked for that went away while it was being opened. */
export const TRIES = 3;

export function createSliceTaking(parts: SliceTakingParts): SliceTaking {
  const { store, fills, clock } = parts;

  return {
    async take(exchange, whole, slice) {
      const key = sliceKey(whole, slice);
      for (let tries = 0; tries < TRIES; tries++) {
        const found = find(exchange, key);
        const there = takeStored(exchange, found, key, slice);
        if (there !== undefined) return there;
        if (exchange.request.method === 'HEAD') return undefined;
        const started = start(exchange, found, key, slice);
        const outcome = await started.fill.outcome;
        const taken = takeOutcome(exchange, outcome, found, started);
        if (taken !== 'again') return taken && { slice, ...taken };
        const asked = takeAsked(exchange, outcome, found, key);
        if (asked !== undefined) return { slice, ...asked };
      }
      return undefined;
    },

    isThere: (exchange, whole, slice) => isFresh(find(exchange, sliceKey(whole, slice))),

    ahead(exchange, whole, slice) {
      const key = sliceKey(whole, slice);
      const found = find(exchange, key);
      // Who wants the origin's word gets it when the slice has its turn, and not twice.
      if (!isFresh(found) && found.fwd !== 'request') inBackground(start(exchange, found, key, slice));
    },
  };

  function find(exchange: Exchange, key: CacheKey): Found {
    const variants = store.lookup(key);
    const stored = selectVariant(variants, exchange);
    const fwd = whyForward(
      exchange,
      variants,
      stored,
      (each) => store.purges.mustRevalidate(each),
      clock.now(),
    );
    return { variants, stored, fwd };
  }

  function takeStored(exchange: Exchange, found: Found, key: CacheKey, slice: number): Slice | undefined {
    const { stored, fwd } = found;
    if (stored === undefined) return undefined;
    const there = { slice, object: stored, forward: undefined, reader: undefined };
    if (fwd === undefined) return there;
    if (fwd !== 'stale' || !may(mayUseWhileRevalidating, exchange, stored)) return undefined;
    inBackground(start(exchange, found, key, slice));
    return { ...there, isStale: true };
  }

  /** What was fetched for this request alone came all at once: it is in the store, where the request would ask again. */
  function takeAsked(
    exchange: Exchange,
    outcome: Outcome,
    { fwd }: Found,
    key: CacheKey,
  ): Omit<Slice, 'slice'> | undefined {
    if (fwd !== 'request' || outcome.kind !== 'filling') return undefined;
    const { stored } = find(exchange, key);
    if (stored?.id !== outcome.object.id) return undefined;
    return { object: stored, forward: { fwd, stored: true }, reader: undefined };
  }

  /** Joins the fetch that runs, but for who wants the origin's word: that fetch began before it was asked for. */
  function start(
    exchange: Exchange,
    { variants, stored, fwd }: Found,
    key: CacheKey,
    slice: number,
  ): Started {
    const joinId = joinIdOf(key.id, variants, exchange);
    const joinable = fwd !== 'request';
    const running = joinable ? fills.find(joinId) : undefined;
    if (running !== undefined) return { fill: running, joined: true };
    const usableOnError = stored !== undefined && may(mayUseOnError, exchange, stored);
    const wanted = { key, joinId, joinable, stale: stored, usableOnError, admitted: true };
    // Where something stale is better than a failure, the fill is to know one when it sees it (RFC 5861 4).
    const read = (response: OriginResponse) =>
      usableOnError && FAILURES.has(response.status) ? response : readSlice(response, slice);
    const fill = fills.start(fillRequest(parts, exchange, { ...wanted, asks: rangeOf(slice), read }));
    return { fill, joined: false };
  }

  function takeOutcome(
    exchange: Exchange,
    outcome: Outcome,
    { stored, fwd = 'uri-miss' }: Found,
    { joined }: Started,
  ): Omit<Slice, 'slice'> | undefined | 'again' {
    switch (outcome.kind) {
      case 'failed':
        if (outcome.failure.cause instanceof NotSliced) return undefined;
        if (stored === undefined || !may(mayUseOnError, exchange, stored)) throw outcome.failure;
        return { object: stored, forward: failed(outcome.failure), reader: undefined };
      case 'unshareable':
        if (!joined) outcome.response.body.abandon();
        return undefined;
      case 'confirmed':
        return { object: outcome.object, forward: { fwd, fwdStatus: 304 }, reader: undefined };
      case 'filling': {
        if (!suits(outcome.object, exchange)) return undefined;
        const reader = outcome.body.reader(0);
        const forward = { fwd, ...(joined ? { collapsed: true } : { stored: true }) };
        // All of it came already: it is in the store now.
        return reader === undefined ? 'again' : { object: outcome.object, forward, reader };
      }
    }
  }

  function may(use: typeof mayUseOnError, { terms, rule }: Exchange, stored: StoredObject): boolean {
    return !store.purges.mustRevalidate(stored) && use(terms, stored, rule.rule, clock.now());
  }
}

const failed = ({ answered, code }: OriginFailure): Forward => ({
  fwd: 'stale',
  fwdStatus: answered,
  detail: code,
});

const isFresh = ({ stored, fwd }: Found): boolean => stored !== undefined && fwd === undefined;

/** What it brings is stored; a failure was counted where it happened. */
function inBackground({ fill, joined }: Started): void {
  if (joined) return;
  fill.outcome.then(
    (outcome) => {
      if (outcome.kind === 'unshareable') outcome.response.body.abandon();
    },
    () => {},
  );
}

function readSlice(response: OriginResponse, slice: number): OriginResponse {
  if (response.status === 304) return response;
  try {
    const read = asSlice(response, slice);
    read.body.holdTo(Number(field(read.headers, 'content-length')));
    return read;
  } catch (error) {
    response.body.abandon();
    throw error;
  }
}
