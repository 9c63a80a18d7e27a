/**
 * Dropping what is stored, together with what is being fetched: a fetch that began before is neither stored nor joined
 * by later requests. All who drop (purges, unsafe methods, domains that left) come through here.
 */

import type { Log } from '../../lib/log.ts';
import type { Fills } from '../cache/fill.ts';
import type { PurgeScope } from '../cache/purge-scope.ts';
import type { CommandResult, PurgeOptions, Store } from '../cache/store.ts';

export interface Dropping {
  /** In force when it returns; resolves once all is counted. With a uid it is durable, and remembered. */
  drop(scopes: readonly PurgeScope[], options?: PurgeOptions): Promise<CommandResult>;
  /** The same for those who need not know how much it was. */
  forget(scopes: readonly PurgeScope[]): void;
  /** Drops all of domains that are not served any more. */
  keepOnly(domains: ReadonlyMap<string, unknown>): void;
}

export function createDropping({ store, fills, log }: { store: Store; fills: Fills; log: Log }): Dropping {
  const drop = (scopes: readonly PurgeScope[], options?: PurgeOptions) => {
    fills.detach(scopes);
    return store.purge(scopes, options);
  };
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
