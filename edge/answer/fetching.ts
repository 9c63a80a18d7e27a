/**
 * A request that the store cannot answer: joins the fetch that is under way for it, or starts one, and takes what comes
 * of it.
 */
import { FIRST_REQUEST, type Fill, type Fills, type Outcome } from '../cache/fill.ts';
import type { HitForMiss } from '../cache/hit-for-miss.ts';
import type { CacheKey } from '../cache/key.ts';
import { parseRange } from '../cache/range.ts';
import { joinIdOf, suits } from '../cache/select.ts';
import type { StoredObject } from '../cache/stored-object.ts';
import type { Exchange } from '../exchange.ts';
import type { OnLimit } from '../limits/limits.ts';
import { abandon } from '../origin/abandon.ts';
import { OriginFailure } from '../origin/failure.ts';
import { type Answer, textAnswer } from './answer.ts';
import { type FillSources, fillRequest } from './fill-request.ts';
import type { Passing } from './passing.ts';
import type { Filling, Forward, Serving } from './serving.ts';

export interface Wanted {
  key: CacheKey;
  variants: readonly StoredObject[];
  /** The variant to be confirmed. */
  stale: StoredObject | undefined;
  /** It may be used if the origin fails. */
  usableOnError: boolean;
  fwd: 'uri-miss' | 'vary-miss' | 'stale' | 'request';
}

export interface FetchingParts extends FillSources {
  fills: Fills;
  hitForMiss: HitForMiss;
  serving: Serving;
  passing: Passing;
  waitersPerObject: number;
  onLimit: OnLimit;
}

/** A range that begins this far behind what has come so far is not waited for. */
const FAR_BYTES = 8 * 1_024 * 1_024;

export interface Fetching {
  /** The answer to a request that the store cannot answer. */
  fetchOrJoin(exchange: Exchange, wanted: Wanted): Promise<Answer>;
  /** Has the origin asked about what is stale, in the background; one fetch at a time. */
  revalidate(exchange: Exchange, wanted: Wanted): void;
}

export function createFetching(parts: FetchingParts): Fetching {
  const { fills, hitForMiss, serving, passing, waitersPerObject, onLimit } = parts;

  return { fetchOrJoin, revalidate };

  async function fetchOrJoin(exchange: Exchange, wanted: Wanted): Promise<Answer> {
    const joinId = joinIdOf(wanted.key.id, wanted.variants, exchange);
    const together = mayShare(exchange, wanted) && !hitForMiss.has(joinId);
    const running = together ? fills.find(joinId) : undefined;
    if (running !== undefined) {
      const answer = await join(exchange, wanted, running);
      if (answer !== undefined) return answer;
    }
    // Known not to be shareable: a range is better asked for as it is, unless all of it lies here to be confirmed.
    const isRange = exchange.request.headers.range !== undefined;
    if (isRange && wanted.stale === undefined && hitForMiss.has(joinId)) {
      return await passing.pass(exchange, { hit: false, fwd: wanted.fwd, detail: 'hit-for-miss' });
    }
    const fill = start(exchange, wanted, joinId, together && running === undefined);
    const outcome = await fill.outcome;
    remember(joinId, outcome);
    return await take(exchange, outcome, wanted.fwd);
  }

  function revalidate(exchange: Exchange, wanted: Wanted): void {
    const joinId = joinIdOf(wanted.key.id, wanted.variants, exchange);
    if (fills.find(joinId) !== undefined) return;
    start(exchange, wanted, joinId, true).outcome.then(
      (outcome) => {
        remember(joinId, outcome);
        // A failure was counted where it happened; the next request asks again.
        if (outcome.kind === 'unshareable') outcome.response.body.abandon();
      },
      () => {},
    );
  }

  /** Nothing when what it brings is not for this request. */
  async function join(exchange: Exchange, { fwd }: Wanted, fill: Fill): Promise<Answer | undefined> {
    if (fill.waiting >= waitersPerObject) return tooManyWait(exchange);
    fill.joined++;
    fill.waiting++;
    const outcome = await fill.outcome.finally(() => fill.waiting--);
    if (outcome.kind === 'failed') throw outcome.failure;
    if (outcome.kind === 'unshareable' || !suits(outcome.object, exchange)) return undefined;
    if (outcome.kind === 'confirmed') {
      return await serving.stored(exchange, outcome.object, { fwd, fwdStatus: 304, collapsed: true });
    }
    return outcome.fresh ? await fromFill(exchange, outcome, { fwd, collapsed: true }) : undefined;
  }

  function tooManyWait({ domain }: Exchange): Answer {
    onLimit('waitersPerObject');
    return textAnswer(503, 'too many requests wait for this already', {
      domain: domain.label,
      headers: [['retry-after', '1']],
    });
  }

  function start(
    exchange: Exchange,
    { key, stale, usableOnError }: Wanted,
    joinId: string,
    joinable: boolean,
  ): Fill {
    return fills.start(fillRequest(parts, exchange, { key, stale, usableOnError, joinId, joinable }));
  }

  function remember(joinId: string, outcome: Outcome): void {
    // The next one is to be stored.
    if (outcome.kind === 'unshareable' && outcome.reason === FIRST_REQUEST) return;
    if (outcome.kind === 'unshareable' || (outcome.kind === 'filling' && !outcome.fresh))
      hitForMiss.mark(joinId);
    else if (outcome.kind !== 'failed') hitForMiss.clear(joinId);
  }

  /** What the fetch brought, for the client that led it. */
  async function take(exchange: Exchange, outcome: Outcome, fwd: Wanted['fwd']): Promise<Answer> {
    switch (outcome.kind) {
      case 'failed':
        throw outcome.failure;
      case 'confirmed':
        return await serving.stored(exchange, outcome.object, { fwd, fwdStatus: 304 });
      case 'filling': {
        const answer = await fromFill(exchange, outcome, { fwd, stored: true });
        // The disk failed before we could read: ask again, for this client alone.
        return answer ?? (await passing.pass(exchange, { hit: false, fwd, detail: 'not-stored' }));
      }
      case 'unshareable': {
        const { response, reason } = outcome;
        const note = { hit: false, fwd, detail: reason } as const;
        // It was asked for whole; a client that wants a part of it is better served by the origin itself.
        if (response.status !== 200 || exchange.request.headers.range === undefined) {
          return passing.handOver(exchange, response, note);
        }
        response.body.abandon();
        return await passing.pass(exchange, note);
      }
    }
  }

  async function fromFill(
    exchange: Exchange,
    filling: Filling,
    forward: Forward,
  ): Promise<Answer | undefined> {
    const apart = isFar(exchange, filling) ? await farRange(exchange) : undefined;
    return apart ?? (await serving.filling(exchange, filling, forward));
  }

  /** Nothing where the origin does not give it: all of it is on its way, so that it is a matter of waiting. */
  async function farRange(exchange: Exchange): Promise<Answer | undefined> {
    const note = { hit: false, fwd: 'partial', detail: 'far-range' } as const;
    const answer = await passing.pass(exchange, note).catch((error: unknown) => {
      if (!(error instanceof OriginFailure)) throw error;
      return undefined;
    });
    if (answer === undefined || answer.status === 206) return answer;
    if (answer.body.kind === 'stream') abandon(answer.body.stream);
    return undefined;
  }
}

/** A range too far behind what has come: it goes to the origin by itself, while the fill goes on. */
function isFar({ request }: Exchange, { body, length, object }: Filling): boolean {
  const spec =
    request.method === 'GET' && object.status === 200 ? parseRange(request.headers.range) : undefined;
  if (spec === undefined || length === undefined) return false;
  const first = 'suffix' in spec ? Math.max(0, length - spec.suffix) : spec.first;
  return first < length && first > body.received + FAR_BYTES;
}

/** Requests that speak for one client neither join nor lead others. */
function mayShare({ terms }: Exchange, { fwd }: Wanted): boolean {
  return fwd !== 'request' && !terms.authorized && !terms.directives.has('no-store');
}
