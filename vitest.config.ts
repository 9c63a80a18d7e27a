import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.weir/**'],
    // A process for each file: tests open sockets, start children and read process-wide metrics.
    pool: 'forks',
    // Two cores are what CI has; more workers would only make timing tests wait for one another.
    maxWorkers: 2,
    // Far above what any test needs: a slow machine may be slow, a hung test is still named.
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
