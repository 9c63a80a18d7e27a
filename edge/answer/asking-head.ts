/**
 * HEAD that the store cannot answer: it goes to the origin as it is, since it is not worth a fetch of the whole. What comes
 * back tells whether the stored answer to a GET still holds (RFC 9111 4.3.5).
 */
import type { Clock } from '../../lib/clock.ts';
import { headConfirms } from '../cache/conditional.ts';
import { FAILURES } from '../cache/stale.ts';
import type { Store } from '../cache/store.ts';
import { confirmedBy, isStillForAll } from '../cache/stored-head.ts';
import type { StoredObject } from '../cache/stored-object.ts';
import type { Exchange } from '../exchange.ts';
import { ErrorAnswer, OriginFailure } from '../origin/failure.ts';
import type { OriginResponse } from '../origin/origin.ts';
import type { Answer } from './answer.ts';
import type { Wanted } from './fetching.ts';
import type { Passing } from './passing.ts';
import type { Serving } from './serving.ts';

export type AskHead = (exchange: Exchange, wanted: Wanted) => Promise<Answer>;

export function createAskHead(parts: {
  store: Store;
  serving: Serving;
  passing: Passing;
  clock: Clock;
}): AskHead {
  const { store, serving, passing, clock } = parts;

  return async function askHead(exchange, { stale, fwd, usableOnError }) {
    const { generation } = store.purges;
    const response = await passing.ask(exchange);
    // Something stale is better, as it is for a GET (RFC 5861 4, RFC 9110 9.3.2).
    if (usableOnError && FAILURES.has(response.status)) {
      await response.body.dump();
      throw new OriginFailure(new ErrorAnswer(response.status));
    }
    // One that was purged or marked meanwhile must not come back.
    const known = generation === store.purges.generation ? stale : undefined;
    const speaks = response.status === 200 && known !== undefined && isForAll(exchange);
    const confirmed = speaks ? confirm(exchange, known, response) : undefined;
    if (speaks)
      store.refresh(confirmed ?? { ...known, staleAt: Math.min(known.staleAt ?? Infinity, clock.now()) });
    if (confirmed === undefined) return passing.handOver(exchange, response, { hit: false, fwd });
    void response.body.dump();
    return await serving.stored(exchange, confirmed, { fwd, fwdStatus: 200 });
  };
}

/** What one client alone was told is no news of what others get. */
function isForAll({ terms }: Exchange): boolean {
  return !terms.authorized && !terms.directives.has('no-store');
}

function confirm(
  { rule, selecting }: Exchange,
  stored: StoredObject,
  response: OriginResponse,
): StoredObject | undefined {
  const { ttl, heuristicTtl } = rule.rule;
  if (!headConfirms(response.headers, stored)) return undefined;
  const object = confirmedBy(response, stored, { heuristicTtl, generation: stored.generation, selecting });
  return isStillForAll(response, object, ttl) ? object : undefined;
}
