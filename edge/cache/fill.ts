/**
 * Fetches for the cache. A fill belongs to no client: whoever waits for it streams what comes, and it goes on when all
 * of them have left. Later requests for the same thing join it until a purge detaches it.
 *
 *     start ──> origin ──> 304: the stored answer with a new head          ┐
 *                          storable: an object and a body that fills       ├─> outcome, for all who wait
 *                          else: the answer itself, for the one who led    ┘
 */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { field, type Headers } from '../headers.ts';
import { ErrorAnswer, OriginFailure } from '../origin/failure.ts';
import type { OriginResponse } from '../origin/origin.ts';
import { confirms, validators } from './conditional.ts';
import type { FillBody } from './fill-body.ts';
import { freshLeftMs, heuristicMs, type RequestTerms, type Ttl, whyNotStored } from './freshness.ts';
import type { CacheKey } from './key.ts';
import { further, pump } from './pump.ts';
import { covers, type PurgeScope } from './purge-scope.ts';
import { redirectsToItself } from './self-redirect.ts';
import { FAILURES } from './stale.ts';
import type { Store } from './store.ts';
import { asStored, confirmedBy, hasTooManyTags, isStillForAll } from './stored-head.ts';
import { BLOCK_BYTES, type StoredObject } from './stored-object.ts';
import { type FieldOf, selectionOf } from './vary.ts';

export interface FillRequest {
  key: CacheKey;
  /** What may join it: the key, and what the request has in the fields that known variants differ in. */
  joinId: string;
  /** Nobody joins a fill that speaks for one client (Authorization, no-cache), or that will not be shareable. */
  joinable: boolean;
  terms: RequestTerms;
  /** The request's fields as the origin sees them. */
  selecting: FieldOf;
  ttl: Ttl;
  /** Seconds that a heuristic may give at most; nothing: there is none. */
  heuristicTtl: number | undefined;
  /** A 5xx is the origin's failure: something stale is better. */
  failsOnError: boolean;
  /** To be confirmed, if the origin can. */
  stale: StoredObject | undefined;
  /** It is to be on the disk whoever else asks for it: a prefetch. */
  admitted: boolean;
  fetch: (conditions: Headers, signal: AbortSignal) => Promise<OriginResponse>;
  onBytes: (bytes: number) => void;
}

export type Outcome =
  /** The stored answer still holds; `object` has the new head. */
  | { kind: 'confirmed'; object: StoredObject }
  /** Storable, and coming. `fresh`: it may answer others, too. `size` is known only from the head here. */
  | { kind: 'filling'; object: StoredObject; length: number | undefined; body: FillBody; fresh: boolean }
  /** For the client that led, alone; who does not take it must destroy the body. */
  | { kind: 'unshareable'; response: OriginResponse; reason: string }
  | { kind: 'failed'; failure: OriginFailure };

export interface Fill {
  key: CacheKey;
  generation: number;
  outcome: Promise<Outcome>;
  /** Requests that joined it, and of these the ones that wait for its outcome. */
  joined: number;
  waiting: number;
  /** Of the answer, once its head has come. */
  tags: readonly string[] | undefined;
  /** A purge was applied since it began: it is neither stored nor joined. */
  detached: boolean;
}

export class Fills {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #running = new Map<Fill, { ended: Promise<void>; abort: AbortController }>();
  readonly #joinable = new Map<string, Fill>();

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  find(joinId: string): Fill | undefined {
    return this.#joinable.get(joinId);
  }

  start(request: FillRequest): Fill {
    const abort = new AbortController();
    const head = Promise.withResolvers<Outcome>();
    const fill: Fill = {
      key: request.key,
      generation: this.#store.purges.generation,
      outcome: head.promise,
      joined: 0,
      waiting: 0,
      tags: undefined,
      detached: false,
    };
    if (request.joinable) this.#joinable.set(request.joinId, fill);
    const ended = this.#run(fill, request, head.resolve, abort)
      .catch((error: unknown) => {
        // Before the head: everyone who waits hears it. After it: the body has told its readers.
        head.resolve({
          kind: 'failed',
          failure: error instanceof OriginFailure ? error : new OriginFailure(error),
        });
      })
      .finally(() => {
        this.#unjoin(fill, request.joinId);
        this.#running.delete(fill);
      });
    this.#running.set(fill, { ended, abort });
    return fill;
  }

  /** Before a purge: what is under way is not stored, and nobody new joins it. Who waits already still gets it. */
  detach(scopes: readonly PurgeScope[]): void {
    for (const fill of this.#running.keys()) {
      if (scopes.some((scope) => covers(scope, fill))) fill.detached = true;
    }
    for (const [joinId, fill] of this.#joinable) if (fill.detached) this.#joinable.delete(joinId);
  }

  /** Nobody new joins what is under way; it may be stored, under the generation at which it began. */
  closeToJoins(): void {
    this.#joinable.clear();
  }

  async stop(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort();
    await Promise.allSettled(running.map(({ ended }) => ended));
  }

  #unjoin(fill: Fill, joinId: string): void {
    if (this.#joinable.get(joinId) === fill) this.#joinable.delete(joinId);
  }

  async #run(
    fill: Fill,
    request: FillRequest,
    tell: (outcome: Outcome) => void,
    abort: AbortController,
  ): Promise<void> {
    const asked = await this.#ask(fill, request, abort.signal);
    if (!('body' in asked)) return tell({ kind: 'confirmed', object: asked });
    const response = { ...asked, heuristicMs: heuristicMs(asked, request.heuristicTtl) };
    const admitted = this.#store.admits(request.key) || request.admitted;
    const reason =
      whyNotStored(request.terms, response, request.ttl) ??
      (redirectsToItself(request.key, response) ? 'redirect-to-itself' : undefined) ??
      (hasTooManyTags(response) ? 'too-many-tags' : undefined) ??
      this.#tooLarge(request, response) ??
      (admitted || fill.joined > 0 ? undefined : firstOfMany(response));
    if (reason !== undefined) {
      this.#unjoin(fill, request.joinId);
      this.#dropRefuted(request, response);
      return tell({ kind: 'unshareable', response, reason });
    }
    await this.#fill(fill, { ...request, admitted }, response, tell, abort);
  }

  /** An answer, or the stored object that the origin confirmed. */
  async #ask(fill: Fill, request: FillRequest, signal: AbortSignal): Promise<OriginResponse | StoredObject> {
    const { stale } = request;
    const response = await request.fetch(stale === undefined ? [] : validators(stale.headers), signal);
    if (request.failsOnError && FAILURES.has(response.status)) {
      await response.body.dump();
      throw new OriginFailure(new ErrorAnswer(response.status));
    }
    if (stale === undefined || response.status !== 304) return response;
    await response.body.dump();
    const confirmed = this.#confirmed(fill, request, stale, response);
    if (confirmed !== undefined) return confirmed;
    // It speaks of something that we do not hold (RFC 9111 4.3.3), or may not hold any longer: ask for the whole.
    this.#store.drop(stale);
    return await request.fetch([], signal);
  }

  #confirmed(
    fill: Fill,
    { heuristicTtl, ttl, selecting }: FillRequest,
    stale: StoredObject,
    response: OriginResponse,
  ): StoredObject | undefined {
    if (!confirms(response.headers, stale.headers)) return undefined;
    const object = confirmedBy(response, stale, { heuristicTtl, generation: fill.generation, selecting });
    // A 304 that says `private` or `no-store` from now on.
    if (!isStillForAll(response, object, ttl)) return undefined;
    if (!fill.detached) this.#store.refresh(object);
    return object;
  }

  /** Where the new answer varies on something else, the old one would stay beside it, and be asked about again and again. */
  #dropReplaced({ key, stale }: FillRequest): void {
    if (stale === undefined) return;
    const isThere = this.#store.lookup(key).some(({ id }) => id === stale.id);
    if (isThere) this.#store.drop(stale);
  }

  /**
   * What was asked about does not hold any more when the origin answers with something else (RFC 9111 4.3.3): else it would
   * be used for as long as something stale may be, and the origin be asked each time. What one client was answered with is
   * no news for the others, a failure none of what is stored.
   */
  #dropRefuted({ stale, ttl, terms }: FillRequest, { status }: OriginResponse): void {
    const isForOne = terms.authorized || terms.directives.has('no-store');
    if (stale === undefined || isForOne || status >= 500 || NO_NEWS.has(status)) return;
    if (freshLeftMs(stale, ttl, this.#clock.now()) <= 0) this.#store.drop(stale);
  }

  #tooLarge({ key }: FillRequest, response: OriginResponse): string | undefined {
    return lengthOf(response) > this.#store.largest(key.domain) ? 'too-large' : undefined;
  }

  async #fill(
    fill: Fill,
    request: FillRequest,
    response: OriginResponse & Pick<StoredObject, 'heuristicMs'>,
    tell: (outcome: Outcome) => void,
    abort: AbortController,
  ): Promise<void> {
    const about = { signal: abort.signal, log: this.#log };
    const { id, body } = this.#store.beginBody(request.key, {
      onRelay: () => {
        fill.detached = true;
        this.#unjoin(fill, request.joinId);
      },
      rest: {
        from: (offset) => further(request, response, offset, about),
        onBytes: request.onBytes,
      },
    });
    const object = this.#objectOf(id, fill, request, response);
    fill.tags = object.tags;
    const fresh = freshLeftMs(object, request.ttl, this.#clock.now()) > 0;
    if (!fresh) this.#unjoin(fill, request.joinId);
    const length = field(response.headers, 'content-length');
    tell({
      kind: 'filling',
      object,
      length: length === undefined ? undefined : Number(length),
      body,
      fresh,
    });
    const filled = await pump(request, response, body, about);
    if (filled === undefined || fill.detached) this.#store.discard(id);
    else {
      const whole = { ...object, size: filled.size, checksums: filled.checksums };
      this.#store.put(whole, filled.kept, request.admitted || fill.joined > 0);
      this.#dropReplaced(request);
    }
    // What is stored is found in the store from here on.
    this.#unjoin(fill, request.joinId);
    await body.release();
  }

  #objectOf(
    id: string,
    fill: Fill,
    request: FillRequest,
    response: OriginResponse & Pick<StoredObject, 'heuristicMs'>,
  ): StoredObject {
    const { status, requestTime, responseTime, heuristicMs: heuristic } = response;
    return {
      id,
      key: request.key,
      selection: selectionOf(response.headers, request.selecting),
      status,
      ...asStored(response),
      requestTime,
      responseTime,
      heuristicMs: heuristic,
      generation: fill.generation,
      size: 0,
      ...(response.total !== undefined && { total: response.total }),
      checksums: [],
    };
  }
}

/** Of what is to be had there such an answer says nothing: a part, no other one, and three times "not now". */
const NO_NEWS: ReadonlySet<number> = new Set([206, 304, 408, 425, 429]);

/** In Cache-Status: it is not stored before it is asked for again. */
export const FIRST_REQUEST = 'first-request';

/** One that does not fit into memory would have to be written to wait for its second request. */
function firstOfMany(response: OriginResponse): string | undefined {
  return lengthOf(response) > BLOCK_BYTES ? FIRST_REQUEST : undefined;
}

function lengthOf({ headers }: OriginResponse): number {
  return Number(field(headers, 'content-length') ?? 0);
}
