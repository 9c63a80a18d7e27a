/**
 * Dropping what is stored, together with what is being fetched: a fetch that began before is neither stored nor joined
 * by later requests. All who drop (purges, unsafe methods, domains that left) come through here.
 */

import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Fills } from '../cache/fill.ts';
import type { PurgeScope } from '../cache/purge-scope.ts';
import type { CommandResult, PurgeOptions } from '../cache/purges.ts';
import type { Store } from '../cache/store.ts';
import type { Workers } from '../workers/workers.ts';

export interface Dropping {
  /** In force when it returns; resolves once all is counted. With a uid it is durable, and remembered. */
  drop(scopes: readonly PurgeScope[], options?: PurgeOptions): Promise<CommandResult>;
  /** The same for those who need not know how much it was. */
  forget(scopes: readonly PurgeScope[]): void;
  /** Drops all of domains that are not served any more. */
  keepOnly(domains: ReadonlyMap<string, unknown>): void;
}

export interface DroppingParts {
  store: Store;
  fills: Fills;
  /** Processes that share the folder: a purge is one in all of them. */
  workers?: Pick<Workers, 'hide'> | undefined;
  clock: Clock;
  log: Log;
}

export function createDropping({ store, fills, workers, clock, log }: DroppingParts): Dropping {
  const dropHere = (scopes: readonly PurgeScope[], options?: PurgeOptions) => {
    fills.detach(scopes);
    return store.purges.purge(scopes, options);
  };
  const drop = workers ? dropEverywhere(workers) : dropHere;

  /** Nobody uses it any more; then its rows go, and what is durable is said. */
  function dropEverywhere(others: Pick<Workers, 'hide'>): Dropping['drop'] {
    // One begins after another: each has the generation behind the last one's.
    let begun: Promise<unknown> = Promise.resolve();
    return async (scopes, options) => {
      const begin = begun.then(async () => {
        const staleAt = options?.soft ? clock.now() : undefined;
        const hidden = await others.hide(scopes, { generation: store.purges.generation + 1, staleAt });
        return { hidden, dropped: dropHere(scopes, options) };
      });
      begun = begin.catch(() => {});
      const { hidden, dropped } = await begin;
      try {
        const result = await dropped;
        return { ...result, objects: result.objects + hidden.objects };
      } finally {
        hidden.lift();
      }
    };
  }

  const forget = (scopes: readonly PurgeScope[]) => {
    drop(scopes).catch((error: unknown) => log.warn({ err: error }, 'a purge is not worked off yet'));
  };
  return {
    drop,
    forget,
    keepOnly(domains) {
      const gone = store.domains().filter((uid) => !domains.has(uid));
      if (gone.length > 0) forget(gone.map((domain) => ({ domain, by: 'everything' })));
    },
  };
}
