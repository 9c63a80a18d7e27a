/** Which of the things in memory goes first when there is no room. */
export interface Eviction {
  /** It was put in, or used. */
  used(key: string): void;
  removed(key: string): void;
  /** The one to go next. */
  next(): string | undefined;
}

/** Least recently used first. A Map keeps the order in which keys were put in. */
export function lru(): Eviction {
  const order = new Map<string, true>();
  return {
    used(key) {
      order.delete(key);
      order.set(key, true);
    },
    removed: (key) => void order.delete(key),
    next: () => order.keys().next().value,
  };
}
