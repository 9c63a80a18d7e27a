/**
 * Purges that are in force and not yet worked off on disk, as Varnish's bans: what was stored before one is not used
 * any more, whether the lurker (store.ts) has come to its row or not. A purge is here for as long as that takes.
 */
import { covers, type PurgeScope } from './purge-scope.ts';
import type { StoredObject } from './stored-object.ts';

export interface Ban {
  number: number;
  scope: PurgeScope;
  /** It is about what was fetched before this purge generation. */
  generation: number;
  /** A soft one: since when what it covers is stale, in milliseconds since the epoch. */
  staleAt: number | undefined;
}

export class Bans {
  readonly #bans = new Map<number, Ban>();
  /** Of another process that purges: in force here until it is done, and never worked off by us. */
  readonly #hidden = new Map<number, readonly Ban[]>();

  constructor(bans: readonly Ban[]) {
    for (const ban of bans) this.add(ban);
  }

  /** Oldest first. */
  list(): Ban[] {
    return [...this.#bans.values()];
  }

  add(ban: Ban): void {
    this.#bans.set(ban.number, ban);
  }

  remove({ number }: Ban): void {
    this.#bans.delete(number);
  }

  hide(number: number, bans: readonly Ban[]): void {
    this.#hidden.set(number, bans);
  }

  lift(number: number): void {
    this.#hidden.delete(number);
  }

  /** The objects as they are after all bans: without those that are gone, and stale where a soft one says so. */
  apply(objects: readonly StoredObject[]): StoredObject[] {
    if (this.#bans.size === 0 && this.#hidden.size === 0) return [...objects];
    const all = [...this.#bans.values(), ...[...this.#hidden.values()].flat()];
    return all.reduce((left, ban) => left.flatMap((object) => after(ban, object)), [...objects]);
  }
}

function after({ generation, scope, staleAt }: Ban, object: StoredObject): StoredObject[] {
  if (object.generation >= generation || !covers(scope, object)) return [object];
  return staleAt === undefined ? [] : [staleFrom(object, staleAt)];
}

/** Stale from `at` on, unless it was already. */
export function staleFrom(object: StoredObject, at: number): StoredObject {
  return { ...object, staleAt: Math.min(object.staleAt ?? at, at) };
}
