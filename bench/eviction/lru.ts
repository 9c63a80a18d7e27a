/** Least recently used first: what the others are compared with. */
import type { Eviction } from '../../edge/cache/eviction.ts';

export function lru(): Eviction {
  const order = new Map<string, true>();
  const touch = (key: string) => {
    order.delete(key);
    order.set(key, true);
  };
  return {
    put: touch,
    used: touch,
    removed: (key) => void order.delete(key),
    next() {
      const key = order.keys().next().value;
      if (key !== undefined) order.delete(key);
      return key;
    },
  };
}
