/**
 * Dropping what is stored, together with what is being fetched: a fetch that began before is neither stored nor joined
 * by later requests. All who drop (purges, unsafe methods, domains that left) come through here.
 */
import type { Fills } from '../cache/fill.ts';
import type { PurgeScope } from '../cache/purge-scope.ts';
import type { CommandResult, Store } from '../cache/store.ts';

export interface Dropping {
  /** With a uid it is durable, and remembered. */
  drop(scopes: readonly PurgeScope[], uid?: string): CommandResult;
  /** Drops all of domains that are not served any more. */
  keepOnly(domains: ReadonlyMap<string, unknown>): void;
}

export function createDropping({ store, fills }: { store: Store; fills: Fills }): Dropping {
  const drop = (scopes: readonly PurgeScope[], uid?: string) => {
    fills.detach(scopes);
    return store.purge(scopes, uid);
  };
  return {
    drop,
    keepOnly(domains) {
      const gone = store.domains().filter((uid) => !domains.has(uid));
      if (gone.length > 0) drop(gone.map((domain) => ({ domain, by: 'everything' })));
    },
  };
}
