/**
 * Memory hits for plain requests, made ready to be written: the same steps as the pipeline's, run once for as long as
 * their outcome cannot change. A head holds for at most a second (Age, ttl), and only while plan, purge generation and
 * the entry in memory are the ones that it was made from; so each request asks for these anew.
 *
 *     host, url ──> place (target, domain, rule, key; per plan) ──> entry in memory ──> ready head, with its body
 */
import { STATUS_CODES } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import { ageMs, freshLeftMs } from '../cache/freshness.ts';
import { type CacheKey, cacheKey } from '../cache/key.ts';
import type { HotEntry } from '../cache/memory-tier.ts';
import { selectVariant, whyForward } from '../cache/select.ts';
import type { Store } from '../cache/store.ts';
import { type Exchange, openExchange } from '../exchange.ts';
import { HEALTH_PATH } from '../listen/health.ts';
import type { PlainRequest } from '../listen/plain-request.ts';
import type { Plans } from '../plan/plans.ts';
import { ruleFor } from '../plan/rule.ts';
import type { ServedPlan } from '../plan/served-plan.ts';
import { BadRequest, readTarget } from '../request/target.ts';
import type { Teller } from './client-headers.ts';
import { storedHead } from './serving.ts';

export interface ReadyHit {
  /** Status line and fields, without those of the connection and the empty line. */
  head: string;
  body: Buffer;
  /** The domain's label. */
  domain: string;
}

export type ReadyHits = (request: PlainRequest) => ReadyHit | undefined;

interface Place {
  exchange: Exchange;
  key: CacheKey;
  made: Made | undefined;
}

interface Made extends ReadyHit {
  objectId: string;
  entry: HotEntry;
  generation: number;
  from: number;
  until: number;
}

/** Hosts and targets that are remembered with what they lead to. Forgetting one costs the pipeline's steps again. */
const MAX_PLACES = 10_000;

export function createReadyHits({
  plans,
  store,
  clock,
  teller,
}: {
  plans: Plans;
  store: Store;
  clock: Clock;
  teller: Teller;
}): ReadyHits {
  const places = new Map<string, Place>();
  let plan: ServedPlan | undefined;

  function placeOf(request: PlainRequest): Place | undefined {
    const current = plans.current();
    if (current !== plan || places.size > MAX_PLACES) places.clear();
    plan = current;
    const name = `${request.host} ${request.url}`;
    const known = places.get(name);
    if (known !== undefined || plan === undefined) return known;
    const place = findPlace(plan, request, teller.edgeId);
    if (place !== undefined) places.set(name, place);
    return place;
  }

  function make({ exchange }: Place, entry: HotEntry, now: number): Made | undefined {
    const object = selectVariant(entry.variants, exchange);
    const body = object && entry.bodies.get(object.id);
    // What a request may vary on is not looked at here.
    if (object === undefined || body === undefined || entry.variants.length > 1) return undefined;
    if (object.selection.length > 0 || object.status !== 200) return undefined;
    if (whyForward(exchange, entry.variants, object, (each) => store.mustRevalidate(each), now))
      return undefined;
    const { status, headers } = storedHead(exchange, object, { now, teller, length: object.size });
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const left = freshLeftMs(object, exchange.rule.rule.ttl, now);
    return {
      objectId: object.id,
      entry,
      generation: store.generation,
      head: `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}`,
      body,
      domain: exchange.domain.label,
      from: now,
      until: now + Math.min(1_000 - (ageMs(object, now) % 1_000), left % 1_000 || 1_000),
    };
  }

  return function ready(request) {
    const place = placeOf(request);
    const entry = place && store.hot(place.key);
    if (place === undefined || entry === undefined) return undefined;
    const now = clock.now();
    const { made } = place;
    const holds =
      made?.entry === entry && made.generation === store.generation && now >= made.from && now < made.until;
    if (!holds) place.made = make(place, entry, now);
    if (place.made !== undefined) store.used(place.made.objectId);
    return place.made;
  };
}

/** The pipeline's steps up to the key, for a request that has nothing but a host and a target. */
function findPlace(plan: ServedPlan, { host, url }: PlainRequest, edgeId: string): Place | undefined {
  if (url === HEALTH_PATH) return undefined;
  try {
    const target = readTarget(url, [host]);
    const domain = plan.byHost.get(target.host);
    if (domain === undefined) return undefined;
    const rule = ruleFor(domain.rules, target.path);
    if (rule.rule.bypass) return undefined;
    const exchange = openExchange(edgeId, { request: plainClient(url, host), target, domain, rule });
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

function plainClient(url: string, host: string): Exchange['request'] {
  return {
    method: 'GET',
    url,
    headers: { host },
    rawHeaders: ['host', host],
    clientAddress: '',
    body: undefined,
    gone: () => NEVER,
  };
}

const NEVER = new AbortController().signal;
