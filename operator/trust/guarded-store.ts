/**
 * One value that several operators may want to change at once. A write says which version it replaces, and is refused
 * when that is not the newest: two replicas can't both make a CA, and no token is used twice.
 */
export interface GuardedStore<T> {
  /** Neither value nor version when there is none. Throws `Unreadable` for one that is not ours: it is not replaced. */
  read(): Promise<Kept<T>>;
  /** Durable when it resolves. Throws `Stale` when `version` is not the newest. */
  write(value: T, version: string | undefined): Promise<Kept<T>>;
}

export interface Kept<T> {
  value: T | undefined;
  /** Means nothing but itself. */
  version: string | undefined;
}

/** What is kept is no value of ours; trying again does not help. */
export class Unreadable extends Error {}

/** Somebody else was faster. */
export class Stale extends Error {}

/** How often somebody else may be faster before it is a fault. */
const TRIES = 20;

/** Reads, changes and writes until nobody came in between. A change that gives nothing writes nothing. */
export async function update<T>(
  store: GuardedStore<T>,
  change: (value: T | undefined) => T | undefined | Promise<T | undefined>,
): Promise<Kept<T>> {
  for (let tries = 1; ; tries++) {
    const kept = await store.read();
    const value = await change(kept.value);
    if (value === undefined) return kept;
    try {
      return await store.write(value, kept.version);
    } catch (error) {
      if (!(error instanceof Stale) || tries >= TRIES) throw error;
    }
  }
}
