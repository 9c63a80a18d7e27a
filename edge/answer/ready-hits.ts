/**
 * Hits for plain requests, made ready to be written: the same steps as the pipeline's, run once for as long as their
 * outcome cannot change. A head holds for at most a second (Age, ttl), and only while plan, purge generation and the
 * entry in memory are the ones that it was made from; so each request asks for these anew.
 *
 *     host, url ──> place (target, domain, rule, key; per plan) ──> entry in memory ──> head ──┬──> body in memory
 *                     └── where a rule says so, for each slice of the range ──> entry ─────────┴──> files found whole before
 */
import type { Clock } from '../../lib/clock.ts';
import { clientHasIt } from '../cache/conditional.ts';
import { ageMs, freshLeftMs } from '../cache/freshness.ts';
import { sliceKey } from '../cache/key.ts';
import type { HotEntry } from '../cache/memory-tier.ts';
import { type ByteRange, parseRange, resolveRange } from '../cache/range.ts';
import { selectVariant, whyForward } from '../cache/select.ts';
import { firstSlice } from '../cache/slice.ts';
import type { Store } from '../cache/store.ts';
import type { StoredObject } from '../cache/stored-object.ts';
import type { Exchange } from '../exchange.ts';
import type { Asked } from '../listen/plain-request.ts';
import type { Plans } from '../plan/plans.ts';
import type { ServedPlan } from '../plan/served-plan.ts';
import type { Step } from '../steps.ts';
import { withTransportSecurity } from '../tls/transport-security.ts';
import type { Teller } from './client-headers.ts';
import { type Content, contentOf, contentOfSlices } from './ready-content.ts';
import { type AroundRange, aroundRange, lazy, type ReadyHead, rangeHead, readyHead } from './ready-head.ts';
import { findPlace, type Place } from './ready-place.ts';
import { storedHead } from './serving.ts';

export interface ReadyHit extends ReadyHead, Content {
  /** Of the body. */
  length: number;
  /** The domain's label. */
  domain: string;
}

/** `uid`: the domain that the connection is of, where it is one over TLS. */
export type ReadyHits = (request: Asked, uid?: string) => ReadyHit | undefined;

interface Remembered extends Place {
  /** By which it is remembered. */
  name: string;
  /** The domain of the connections that it is for. */
  uid: string | undefined;
  made: Made | undefined;
}

/** What is stored below a place's key, for a moment, and for any range of it. */
interface Made {
  object: StoredObject;
  /** The body where it is in memory; else it is a file, which has to be asked for each time. */
  bytes: Buffer | undefined;
  /** Of the whole object, of which this may be a slice. */
  size: number;
  entry: HotEntry;
  generation: number;
  from: number;
  until: number;
  /** The answer with the whole body. */
  whole: () => ReadyHead;
  /** To who has it already. */
  unchanged: () => ReadyHead;
  /** Nothing where there are no ranges. */
  partial: () => AroundRange | undefined;
  /** Of the whole body, where that is in memory. */
  hit: ReadyHit | undefined;
}

/** Hosts and targets, and slices of these, that are remembered with what they lead to. Forgetting one costs its steps again. */
const MAX_PLACES = 10_000;

export function createReadyHits({
  plans,
  store,
  clock,
  teller,
  steps,
  endOfHead,
}: {
  steps: readonly Step[];
  plans: Pick<Plans, 'current'>;
  store: Store;
  clock: Clock;
  teller: Teller;
  /** Of HTTP/1: the fields of a connection that goes on, and the empty line. */
  endOfHead: string;
}): ReadyHits {
  const plainPlaces = new Map<string, Remembered>();
  const securePlaces = new Map<string, Remembered>();
  const placesOf = (uid: string | undefined) => (uid === undefined ? plainPlaces : securePlaces);
  let plan: ServedPlan | undefined;

  return function ready(request, uid) {
    const place = placeOf(request, uid);
    if (place === undefined) return undefined;
    const entry = store.hot(place.key);
    // What is stored whole comes before slices, also where it needs more than a look.
    if (entry === undefined && place.exchange.rule.rule.slices === true) return readySlices(place, request);
    const made = entry && madeFor(place, entry);
    if (made === undefined) return undefined;
    const isForWhole = request.method === 'GET' && request.range === undefined && request.has === undefined;
    if (isForWhole && made.hit !== undefined) {
      store.used(made.object);
      return made.hit;
    }
    const hit = hitOf(place, request, made, (range) => contentOf(store, made, range));
    if (isForWhole && Buffer.isBuffer(hit?.body)) made.hit = hit;
    return hit;
  };

  function readySlices(place: Remembered, request: Asked): ReadyHit | undefined {
    const sliceAt = (index: number) => {
      const slice = sliceOf(place, index);
      const entry = store.hot(slice.key);
      return entry && madeFor(slice, entry);
    };
    const lead = sliceAt(firstSlice(request.range));
    return lead && hitOf(place, request, lead, (range) => contentOfSlices(store, lead, sliceAt, range));
  }

  function placeOf(request: Asked, uid: string | undefined): Remembered | undefined {
    const current = plans.current();
    if (current !== plan) {
      plainPlaces.clear();
      securePlaces.clear();
    }
    plan = current;
    const { name } = request;
    const known = placesOf(uid).get(name);
    // What another domain's connections asked for is not for this one's: findPlace tells.
    if ((known !== undefined && known.uid === uid) || plan === undefined) return known;
    const found = findPlace(plan, request, { edgeId: teller.edgeId, steps, uid });
    return found && remember({ ...found, name, uid, made: undefined });
  }

  function sliceOf({ name, uid, exchange, key }: Remembered, slice: number): Remembered {
    const own = `${name} ${slice}`;
    const known = placesOf(uid).get(own);
    return known ?? remember({ name: own, uid, exchange, key: sliceKey(key, slice), made: undefined });
  }

  function remember(place: Remembered): Remembered {
    const places = placesOf(place.uid);
    if (places.size >= MAX_PLACES) places.clear();
    places.set(place.name, place);
    return place;
  }

  function madeFor(place: Remembered, entry: HotEntry): Made | undefined {
    const now = clock.now();
    const { made } = place;
    const holds =
      made?.entry === entry &&
      made.generation === store.purges.generation &&
      now >= made.from &&
      now < made.until;
    if (!holds) place.made = make(place, entry, now);
    return place.made;
  }

  function make({ exchange }: Place, entry: HotEntry, now: number): Made | undefined {
    const object = selectVariant(entry.variants, exchange);
    // What a request may vary on is not looked at here.
    if (object === undefined || entry.variants.length > 1) return undefined;
    if (object.selection.length > 0 || object.status !== 200) return undefined;
    if (whyForward(exchange, entry.variants, object, (each) => store.purges.mustRevalidate(each), now))
      return undefined;
    const size = object.total ?? object.size;
    const headFor = (request: Exchange['request']) =>
      withTransportSecurity(
        storedHead({ ...exchange, request }, object, { now, teller, length: size }),
        exchange,
      );
    const left = freshLeftMs(object, exchange.rule.rule.ttl, now);
    return {
      object,
      bytes: entry.bodies.get(object.id),
      size,
      entry,
      generation: store.purges.generation,
      from: now,
      until: now + Math.min(1_000 - (ageMs(object, now) % 1_000), left % 1_000 || 1_000),
      whole: lazy(() => readyHead(headFor(exchange.request), endOfHead)),
      unchanged: lazy(() => readyHead(headFor(asking(exchange.request, 'if-none-match', '*')), endOfHead)),
      partial: lazy(() =>
        aroundRange(headFor(asking(exchange.request, 'range', 'bytes=0-0')), size, endOfHead),
      ),
      hit: undefined,
    };
  }

  function hitOf(
    { exchange }: Place,
    request: Asked,
    made: Made,
    contentFor: (range: ByteRange) => Content | undefined,
  ): ReadyHit | undefined {
    const answer = request.range === undefined ? all(made, request) : part(made, request.range);
    if (answer === undefined) return undefined;
    const { head, range } = answer;
    const length = range === undefined || request.method === 'HEAD' ? 0 : range.last - range.first + 1;
    const content = range === undefined || length === 0 ? noContent(made) : contentFor(range);
    if (content === undefined) return undefined;
    return { ...head, ...content, length, domain: exchange.domain.label };
  }

  function noContent({ object }: Made): Content {
    store.used(object);
    return NO_CONTENT;
  }

  function all({ object, size, whole, unchanged }: Made, { has }: Asked): Answered {
    const isKnown = has !== undefined && clientHasIt(has, object.headers, clock.now());
    return isKnown
      ? { head: unchanged(), range: undefined }
      : { head: whole(), range: { first: 0, last: size - 1 } };
  }
}

/** An answer's head, and which bytes of the object are its body. */
interface Answered {
  head: ReadyHead;
  range: ByteRange | undefined;
}

const NO_CONTENT: Content = { body: Buffer.alloc(0) };

function part({ size, partial }: Made, header: string): Answered | undefined {
  const spec = parseRange(header);
  const range = spec && resolveRange(spec, size);
  const around = range && partial();
  if (range === undefined || range === 'unsatisfiable' || around === undefined) return undefined;
  return { head: rangeHead(around, range, size), range };
}

/** The request that another head is made for: one to who has the object, one for a range that is put into its place. */
const asking = (request: Exchange['request'], name: string, value: string): Exchange['request'] => ({
  ...request,
  headers: { ...request.headers, [name]: value },
});
