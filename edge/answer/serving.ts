/** Answers out of the cache: from what is stored, and from what is being stored. */

import type { Clock } from '../../lib/clock.ts';
import type { ByteSource } from '../cache/byte-source.ts';
import type { Outcome } from '../cache/fill.ts';
import { ageMs, freshLeftMs } from '../cache/freshness.ts';
import type { StoredObject } from '../cache/stored-object.ts';
import type { Exchange } from '../exchange.ts';
import type { Headers } from '../headers.ts';
import type { Answer, Result } from './answer.ts';
import type { CacheNote } from './cache-status.ts';
import { clientHeaders, type Teller, withAge, withBrowserTtl } from './client-headers.ts';
import type { Mending } from './mending.ts';
import { bodyFor, type Representation, type Shape, shapeFor } from './representation.ts';

export type Filling = Extract<Outcome, { kind: 'filling' }>;

export interface Serving {
  /** Throws CorruptBody before anything was sent when the body turns out to be damaged. */
  stored(exchange: Exchange, object: StoredObject, forward?: Forward): Promise<Answer>;
  /** `open` gives a body that can be read from anywhere; `last`: as far as it will be read, where that is known. */
  sliced(
    exchange: Exchange,
    object: StoredObject,
    forward: Forward | undefined,
    open: (last: number | undefined) => ByteSource,
  ): Promise<Answer>;
  /** Nothing when the body cannot be joined any more. */
  filling(exchange: Exchange, filling: Filling, forward: Forward): Promise<Answer | undefined>;
}

/** Why and how the origin was asked, where it was. */
export type Forward = Omit<Extract<CacheNote, { hit: false }>, 'hit' | 'ttl'>;

export function createServing(bodyOf: Mending, clock: Clock, teller: Teller): Serving {
  async function answer(
    exchange: Exchange,
    object: StoredObject,
    representation: Pick<Representation, 'length' | 'open' | 'anyOffset'>,
    forward: Forward | undefined,
  ): Promise<Answer> {
    const head = storedHead(exchange, object, {
      now: clock.now(),
      teller,
      length: representation.length,
      anyOffset: representation.anyOffset,
      forward,
    });
    const { shape } = head;
    return {
      status: shape.status,
      headers: head.headers,
      body: await bodyFor(representation, shape),
      domain: exchange.domain.label,
      result: resultOf(forward),
    };
  }

  return {
    stored: (exchange, object, forward) =>
      answer(
        exchange,
        object,
        { length: object.size, anyOffset: true, open: () => bodyOf(exchange, object) },
        forward,
      ),

    sliced: (exchange, object, forward, open) =>
      answer(
        exchange,
        object,
        { length: object.size, anyOffset: true, open: async (_first, last) => open(last) },
        forward,
      ),

    async filling(exchange, { object, length, body }, forward) {
      // Held from here on, so that bytes which pass while the head is made are still there for us.
      const reader = body.reader(0);
      if (reader === undefined) return undefined;
      let used = false;
      const open = async (first: number) => {
        used = true;
        if (first === 0) return reader;
        const further = body.reader(first);
        await reader.close();
        if (further === undefined) throw new Error('the fill was given up');
        return further;
      };
      const result = await answer(exchange, object, { length, anyOffset: false, open }, forward);
      if (!used) await reader.close();
      return result;
    },
  };
}

/** Status, fields and range of the answer that a stored object is to a request. Pure. */
export function storedHead(
  { request, rule }: Pick<Exchange, 'request' | 'rule'>,
  object: StoredObject,
  about: {
    now: number;
    teller: Teller;
    length: number | undefined;
    /** Its body can be read from anywhere. */
    anyOffset?: boolean;
    forward?: Forward | undefined;
  },
): { status: number; headers: Headers; shape: Shape } {
  const { now, teller, length, anyOffset = false, forward } = about;
  const { ttl, browserTtl } = rule.rule;
  const left = Math.floor(freshLeftMs(object, ttl, now) / 1_000);
  const note: CacheNote =
    forward === undefined ? { hit: true, ttl: left } : { hit: false, ...forward, ttl: left };
  const told = withBrowserTtl(withAge(object.headers, ageMs(object, now)), object.status, browserTtl);
  const shape = shapeFor(request, { status: object.status, headers: told, length, anyOffset }, now);
  return { status: shape.status, headers: clientHeaders(shape.headers, teller, note), shape };
}

function resultOf(forward: Forward | undefined): Result {
  if (forward === undefined) return 'hit';
  if (forward.fwdStatus === 304) return 'revalidated';
  if (forward.collapsed) return 'collapsed';
  return forward.fwd === 'stale' ? 'stale' : 'miss';
}
