/** How often each path was asked for, and what was answered: what a test or a newcomer holds against the edges' hits. */

export interface Counts {
  /** Paths that do not exist are counted together, so that no client can make this grow. */
  count(path: string, known: boolean, status: number): void;
  /** `{ "/video.bin": { "requests": 3, "200": 1, "304": 2 } }` */
  all(): Record<string, Record<string, number>>;
}

export function createCounts(): Counts {
  const byPath = new Map<string, Map<string, number>>();
  return {
    count(path, known, status) {
      const key = known ? path : '(other)';
      const row = byPath.get(key) ?? new Map<string, number>();
      for (const name of ['requests', String(status)]) row.set(name, (row.get(name) ?? 0) + 1);
      byPath.set(key, row);
    },
    all: () =>
      Object.fromEntries(
        [...byPath]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([path, row]) => [path, Object.fromEntries(row)]),
      ),
  };
}
