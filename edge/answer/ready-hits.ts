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
import { ageMs, freshLeftMs } from '../cache/freshness.ts';
import { type CacheKey, cacheKey } from '../cache/key.ts';
import type { HotEntry } from '../cache/memory-tier.ts';
import type { OpenBody } from '../cache/open-bodies.ts';
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

export interface ReadyHit {
  /** Status line and fields, without those of the connection and the empty line. */
  head: string;
  body: Buffer | PartOfFile;
  /** The same for HTTP/2, with the status; only where the answer is the whole. */
  block?: Buffer;
  /** Of the body. */
  length: number;
  /** The domain's label. */
  domain: string;
}

/** To be held while it is sent. */
export interface PartOfFile {
  file: OpenBody;
  first: number;
}

/** `uid`: the domain that the connection is of, where it is one over TLS. */
export type ReadyHits = (request: PlainRequest, uid?: string) => ReadyHit | undefined;

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
  whole: Omit<ReadyHit, 'body'>;
  /** What stands before and behind the fields that tell the range; nothing where there are no ranges. */
  partial: readonly [before: string, behind: string] | undefined;
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

  function placeOf(request: PlainRequest, uid: string | undefined): Place | undefined {
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
    const whole = headFor(exchange.request);
    const left = freshLeftMs(object, exchange.rule.rule.ttl, now);
    return {
      object,
      entry,
      generation: store.purges.generation,
      from: now,
      until: now + Math.min(1_000 - (ageMs(object, now) % 1_000), left % 1_000 || 1_000),
      bytes: entry.bodies.get(object.id),
      whole: {
        head: headText(whole),
        block: fieldBlock(responseFields(whole.status, whole.headers)),
        length: object.size,
        domain: exchange.domain.label,
      },
      partial: aroundRange(headText(headFor(firstByteOf(exchange.request))), object.size),
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

  function bodyOf({ object, bytes }: Made, { first, last }: ByteRange): ReadyHit['body'] | undefined {
    if (bytes !== undefined) return bytes.subarray(first, last + 1);
    const file = store.whole(object, first, last);
    return file && { file, first };
  }

  return function ready(request, uid) {
    const place = placeOf(request, uid);
    const entry = place && store.hot(place.key);
    const made = place && entry && madeFor(place, entry);
    if (made === undefined) return undefined;
    const { object, whole, partial } = made;
    const range = request.range === undefined ? undefined : oneRange(request.range, object.size);
    if (request.range !== undefined && (range === undefined || partial === undefined)) return undefined;
    const { first, last } = range ?? { first: 0, last: object.size - 1 };
    const body = bodyOf(made, { first, last });
    if (body === undefined) return undefined;
    store.used(object);
    if (range === undefined || partial === undefined) return { ...whole, body };
    const length = last - first + 1;
    const [before, behind] = partial;
    return {
      head: `${before}${rangeFields({ first, last }, object.size)}${behind}`,
      body,
      length,
      domain: whole.domain,
    };
  };
}

function headText({ status, headers }: { status: number; headers: Headers }): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}`;
}

/** The request that the head of a partial answer is made for, before the range is put into its place. */
const firstByteOf = (request: Exchange['request']): Exchange['request'] => ({
  ...request,
  headers: { ...request.headers, range: 'bytes=0-0' },
});

function rangeFields({ first, last }: ByteRange, size: number): string {
  return `content-range: bytes ${first}-${last}/${size}\r\ncontent-length: ${last - first + 1}\r\n`;
}

function aroundRange(head: string, size: number): Made['partial'] {
  const [before, behind, more] = head.split(rangeFields({ first: 0, last: 0 }, size));
  return before !== undefined && behind !== undefined && more === undefined ? [before, behind] : undefined;
}

function oneRange(header: string, size: number): ByteRange | undefined {
  const spec = parseRange(header);
  const range = spec && resolveRange(spec, size);
  return range === 'unsatisfiable' ? undefined : range;
}

/** The pipeline's steps up to the key, for a request that has nothing but a host and a target. */
function findPlace(
  plan: ServedPlan,
  { host, url }: PlainRequest,
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
