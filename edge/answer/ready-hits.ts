/**
 * Memory hits for plain requests, made ready to be written: the same steps as the pipeline's, run once for as long as
 * their outcome cannot change. A head holds for at most a second (Age, ttl), and only while plan, purge generation and
 * the entry in memory are the ones that it was made from; so each request asks for these anew.
 *
 *     host, url ──> place (target, domain, rule, key; per plan) ──> entry in memory ──> ready head, with its body in memory,
 *                                                                                     or in a file found whole before
 */
import { STATUS_CODES } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import { clientHasIt } from '../cache/conditional.ts';
import { ageMs, freshLeftMs } from '../cache/freshness.ts';
import { type CacheKey, cacheKey } from '../cache/key.ts';
import type { HotEntry } from '../cache/memory-tier.ts';
import type { HeldFile } from '../cache/open-bodies.ts';
import { type ByteRange, parseRange, resolveRange } from '../cache/range.ts';
import { selectVariant, whyForward } from '../cache/select.ts';
import type { Store } from '../cache/store.ts';
import type { StoredObject } from '../cache/stored-object.ts';
import { type Exchange, openExchange } from '../exchange.ts';
import type { Headers } from '../headers.ts';
import { fieldBlock } from '../http2/hpack.ts';
import { HEALTH_PATH } from '../listen/health.ts';
import { responseFields } from '../listen/http2-request.ts';
import type { PlainRequest } from '../listen/plain-request.ts';
import type { Plans } from '../plan/plans.ts';
import { ruleFor } from '../plan/rule.ts';
import type { ServedPlan } from '../plan/served-plan.ts';
import { BadRequest, readTarget } from '../request/target.ts';
import type { Step } from '../steps.ts';
import { withTransportSecurity } from '../tls/transport-security.ts';
import type { Teller } from './client-headers.ts';
import { storedHead } from './serving.ts';

export interface ReadyHit extends ReadyHead {
  body: Buffer | PartOfFile;
  /** Where the bytes of `body` are a part of one stored body in memory, which never changes. */
  within?: { id: string; bytes: Buffer; first: number } | undefined;
  /** Of the body. */
  length: number;
  /** The domain's label. */
  domain: string;
}

interface ReadyHead {
  status: number;
  /** Status line and fields, without those of the connection and the empty line. */
  head: string;
  /** The same for HTTP/2, with the status. */
  block: Buffer;
}

/** To be held while it is sent. */
export interface PartOfFile {
  file: HeldFile;
  first: number;
}

/** `uid`: the domain that the connection is of, where it is one over TLS. */
export type ReadyHits = (request: Asked, uid?: string) => ReadyHit | undefined;

type Asked = Omit<PlainRequest, 'text'>;

interface Place {
  exchange: Exchange;
  key: CacheKey;
  made: Made | undefined;
}

/** Holds for a moment, for any range of the object. */
interface Made {
  object: StoredObject;
  entry: HotEntry;
  generation: number;
  from: number;
  until: number;
  /** The body where it is in memory; else it is a file, which has to be asked for each time. */
  bytes: Buffer | undefined;
  /** The answer with the whole body. */
  whole: ReadyHead;
  /** To who has it already. */
  unchanged: () => ReadyHead;
  /** What stands before and behind the fields that tell the range; nothing where there are no ranges. */
  partial: () => readonly [before: ReadyHead, behind: ReadyHead] | undefined;
}

/** Hosts and targets that are remembered with what they lead to. Forgetting one costs the pipeline's steps again. */
const MAX_PLACES = 10_000;

export function createReadyHits({
  plans,
  store,
  clock,
  teller,
  steps,
}: {
  steps: readonly Step[];
  plans: Pick<Plans, 'current'>;
  store: Store;
  clock: Clock;
  teller: Teller;
}): ReadyHits {
  const places = new Map<string, Place>();
  let plan: ServedPlan | undefined;

  function placeOf(request: Asked, uid: string | undefined): Place | undefined {
    const current = plans.current();
    if (current !== plan || places.size > MAX_PLACES) places.clear();
    plan = current;
    const name = `${uid ?? ''} ${request.host} ${request.url}`;
    const known = places.get(name);
    if (known !== undefined || plan === undefined) return known;
    const place = findPlace(plan, request, { edgeId: teller.edgeId, steps, uid });
    if (place !== undefined) places.set(name, place);
    return place;
  }

  function make({ exchange }: Place, entry: HotEntry, now: number): Made | undefined {
    const object = selectVariant(entry.variants, exchange);
    // What a request may vary on is not looked at here.
    if (object === undefined || entry.variants.length > 1) return undefined;
    if (object.selection.length > 0 || object.status !== 200) return undefined;
    if (whyForward(exchange, entry.variants, object, (each) => store.purges.mustRevalidate(each), now))
      return undefined;
    const headFor = (request: Exchange['request']) =>
      withTransportSecurity(
        storedHead({ ...exchange, request }, object, { now, teller, length: object.size }),
        exchange,
      );
    const left = freshLeftMs(object, exchange.rule.rule.ttl, now);
    return {
      object,
      entry,
      generation: store.purges.generation,
      from: now,
      until: now + Math.min(1_000 - (ageMs(object, now) % 1_000), left % 1_000 || 1_000),
      bytes: entry.bodies.get(object.id),
      whole: readyHead(headFor(exchange.request)),
      unchanged: lazy(() => readyHead(headFor(asking(exchange.request, 'if-none-match', '*')))),
      partial: lazy(() => aroundRange(headFor(asking(exchange.request, 'range', 'bytes=0-0')), object.size)),
    };
  }

  function madeFor(place: Place, entry: HotEntry): Made | undefined {
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

  function bodyOf({ object, bytes }: Made, { first, length }: Part): Content | undefined {
    if (length === 0) return NO_CONTENT;
    if (bytes !== undefined)
      return { body: bytes.subarray(first, first + length), within: { id: object.id, bytes, first } };
    const file = store.whole(object, first, first + length - 1);
    return file && { body: { file, first } };
  }

  return function ready(request, uid) {
    const place = placeOf(request, uid);
    const entry = place && store.hot(place.key);
    const made = place && entry && madeFor(place, entry);
    if (place === undefined || made === undefined) return undefined;
    const { object } = made;
    const answer = request.range === undefined ? all(made, request) : part(made, request.range);
    const content = answer && bodyOf(made, answer);
    if (answer === undefined || content === undefined) return undefined;
    store.used(object);
    const { status, head, block } = answer.head;
    const { body, within } = content;
    const { label } = place.exchange.domain;
    return { status, head, block, body, within, length: answer.length, domain: label };
  };

  function all({ object, whole, unchanged }: Made, { has }: Asked): Part {
    const isKnown = has !== undefined && clientHasIt(has, object.headers, clock.now());
    return isKnown
      ? { head: unchanged(), first: 0, length: 0 }
      : { head: whole, first: 0, length: object.size };
  }
}

/** An answer's head, and which bytes of the object are its body. */
interface Part {
  head: ReadyHead;
  first: number;
  length: number;
}

type Content = Pick<ReadyHit, 'body' | 'within'>;
const NO_CONTENT: Content = { body: Buffer.alloc(0) };

function part({ object, partial }: Made, header: string): Part | undefined {
  const range = oneRange(header, object.size);
  const around = range && partial();
  if (range === undefined || around === undefined) return undefined;
  const [before, behind] = around;
  const told = rangeFields(range, object.size);
  return {
    head: {
      status: before.status,
      head: before.head + linesOf(told) + behind.head,
      block: Buffer.concat([before.block, fieldBlock(told.flat()), behind.block]),
    },
    first: range.first,
    length: range.last - range.first + 1,
  };
}

interface Head {
  status: number;
  headers: Headers;
}

function readyHead({ status, headers }: Head): ReadyHead {
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
  return { status, head: line + linesOf(headers), block: fieldBlock(responseFields(status, headers)) };
}

const linesOf = (headers: Headers) => headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');

/** Most objects are asked for as a whole alone. */
function lazy<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The request that another head is made for: one to who has the object, one for a range that is put into its place. */
const asking = (request: Exchange['request'], name: string, value: string): Exchange['request'] => ({
  ...request,
  headers: { ...request.headers, [name]: value },
});

const rangeFields = ({ first, last }: ByteRange, size: number): [name: string, value: string][] => [
  ['content-range', `bytes ${first}-${last}/${size}`],
  ['content-length', String(last - first + 1)],
];

function aroundRange({ status, headers }: Head, size: number): ReturnType<Made['partial']> {
  const told = linesOf(rangeFields({ first: 0, last: 0 }, size));
  const at = headers.findIndex((_, index) => linesOf(headers.slice(index, index + 2)) === told);
  if (at < 0) return undefined;
  const before = readyHead({ status, headers: headers.slice(0, at) });
  const behind = headers.slice(at + 2);
  return [before, { status, head: linesOf(behind), block: fieldBlock(behind.flat()) }];
}

function oneRange(header: string, size: number): ByteRange | undefined {
  const spec = parseRange(header);
  const range = spec && resolveRange(spec, size);
  return range === 'unsatisfiable' ? undefined : range;
}

/** The pipeline's steps up to the key, for a request that has nothing but a host and a target. */
function findPlace(
  plan: ServedPlan,
  { host, url }: Asked,
  { edgeId, steps, uid }: { edgeId: string; steps: readonly Step[]; uid: string | undefined },
): Place | undefined {
  if (url === HEALTH_PATH) return undefined;
  try {
    const target = readTarget(url, [host]);
    const domain = plan.byHost.get(target.host);
    // A step may look at anything: it is asked on the ordinary path.
    if (domain === undefined || steps.some((step) => step.concerns(domain))) return undefined;
    // For another domain than the connection's: there may be more to it, and the ordinary path knows.
    if (uid === undefined ? domain.tls?.redirect : domain.uid !== uid) return undefined;
    const rule = ruleFor(domain.rules, target.path);
    if (rule.rule.bypass) return undefined;
    const exchange = openExchange(edgeId, {
      request: plainClient(url, host, uid === undefined ? 'http' : 'https'),
      target,
      domain,
      rule,
    });
    return {
      exchange,
      key: cacheKey(domain.uid, target.path, target.query, rule.rule.query),
      made: undefined,
    };
  } catch (error) {
    if (error instanceof BadRequest) return undefined;
    throw error;
  }
}

function plainClient(url: string, host: string, scheme: 'http' | 'https'): Exchange['request'] {
  return {
    method: 'GET',
    url,
    headers: { host },
    rawHeaders: ['host', host],
    clientAddress: '',
    scheme,
    body: undefined,
    gone: () => NEVER,
  };
}

const NEVER = new AbortController().signal;
