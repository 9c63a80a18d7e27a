/** The reflector over an API that the test plays, with time that the test moves: what no real server does on demand. */
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import type { KubernetesApi } from './api.ts';
import { Reflector } from './reflector.ts';
import { watchMetrics } from './watch-metrics.ts';

interface Watch {
  query: Record<string, unknown>;
  send(event: unknown): void;
  end(): void;
}

const object = (name: string, resourceVersion: string) => ({
  metadata: { name, uid: `uid-${name}`, resourceVersion, creationTimestamp: '2026-11-22T04:00:00Z' },
  spec: {},
});
const bookmark = (resourceVersion: string) => ({
  type: 'BOOKMARK',
  object: { metadata: { resourceVersion } },
});

let clock: FakeClock;
let registry: Registry;
let listed: unknown[];
let lists: number;
let watches: Watch[];
let reflector: Reflector;
let changes: number;

beforeEach(async () => {
  clock = new FakeClock();
  registry = new Registry();
  listed = [object('a', '7')];
  lists = 0;
  watches = [];
  changes = 0;
  reflector = new Reflector({
    api: playedApi(),
    path: '/things',
    resource: 'things',
    metrics: watchMetrics(registry),
    clock,
    log: silentLog,
    random: () => 0.5,
  });
  reflector.start(() => changes++);
  await watching(1);
});
afterEach(() => reflector.stop());

function playedApi(): KubernetesApi {
  const refuse = () => Promise.reject(new Error('not played'));
  return {
    create: refuse,
    replace: refuse,
    merge: refuse,
    apply: refuse,
    text: refuse,
    remove: refuse,
    close: async () => {},
    async get() {
      lists++;
      return { metadata: { resourceVersion: '10' }, items: listed };
    },
    async *watch(_path, query, signal) {
      const waiting: unknown[] = [];
      let wake = () => {};
      let open = true;
      watches.push({
        query,
        send(event) {
          waiting.push(event);
          wake();
        },
        end() {
          open = false;
          wake();
        },
      });
      signal.addEventListener('abort', () => wake(), { once: true });
      for (;;) {
        while (waiting.length > 0) yield waiting.shift();
        signal.throwIfAborted();
        if (!open) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** The newest of so many watches; time passes until it is there. */
async function watching(count: number): Promise<Watch> {
  return vi.waitFor(
    () => {
      clock.advance(250);
      expect(watches).toHaveLength(count);
      return watches.at(-1) ?? expect.fail('no watch');
    },
    { timeout: 10_000, interval: 5 },
  );
}

const names = () => [...(reflector.objects() ?? new Map()).values()].map(({ metadata }) => metadata.name);
const metric = async (name: string) => {
  const found = (await registry.getMetricsAsJSON()).find((row) => row.name === `weir_operator_watch_${name}`);
  return found?.values.map(({ value, labels }) => ({ value, ...labels }));
};

test('asks for bookmarks and for an end, and goes on from the last version that it heard of', async () => {
  const [first] = watches;
  expect(first?.query).toMatchObject({
    resourceVersion: '10',
    allowWatchBookmarks: true,
    timeoutSeconds: 450,
  });
  first?.send({ type: 'ADDED', object: object('b', '11') });
  first?.send(bookmark('15'));
  first?.end();
  expect((await watching(2)).query).toMatchObject({ resourceVersion: '15' });
  expect([names(), lists, changes]).toEqual([['a', 'b'], 1, 2]);
});

test('a connection that is dead though nobody closed it is given up; a bookmark is a sign of life', async () => {
  clock.advance(149_000);
  watches[0]?.send(bookmark('15'));
  await vi.waitFor(async () =>
    expect(await metric('last_event_age_seconds')).toEqual([{ resource: 'things', value: 0 }]),
  );
  clock.advance(149_000);
  expect(watches).toHaveLength(1);
  expect(await metric('last_event_age_seconds')).toEqual([{ resource: 'things', value: 149 }]);
  clock.advance(1_000);
  await watching(2);
});

test('what a watch missed is found by the periodic list, and counted', async () => {
  listed = [object('a', '12'), object('b', '11')];
  clock.advance(100_000);
  for (let round = 0; round < 5; round++) {
    watches[0]?.send(bookmark(`1${round}`));
    await vi.waitFor(async () =>
      expect(await metric('last_event_age_seconds')).toMatchObject([{ value: 0 }]),
    );
    clock.advance(100_000);
  }
  watches[0]?.end();
  await watching(2);
  expect([names(), lists]).toEqual([['a', 'b'], 2]);
  expect(await metric('relists_total')).toContainEqual({ resource: 'things', reason: 'Periodic', value: 1 });
  expect(await metric('missed_total')).toEqual([{ resource: 'things', value: 2 }]);
});

test('a periodic list that finds nothing new tells nobody', async () => {
  const before = changes;
  clock.advance(100_000);
  watches[0]?.send(bookmark('11'));
  await vi.waitFor(async () => expect(await metric('last_event_age_seconds')).toMatchObject([{ value: 0 }]));
  clock.advance(149_000);
  watches[0]?.send(bookmark('12'));
  await vi.waitFor(async () => expect(await metric('last_event_age_seconds')).toMatchObject([{ value: 0 }]));
  for (const count of [2, 3, 4]) {
    clock.advance(151_000);
    await watching(count);
  }
  expect([lists, changes]).toEqual([2, before]);
});

test('ends that follow each other wait longer and longer, until the server speaks again', async () => {
  const waits: number[] = [];
  for (let count = 2; count <= 10; count++) waits.push(await endAndWait(count));
  expect(waits[0]).toBeLessThan(1_000);
  expect(waits.at(-1)).toBeGreaterThanOrEqual(15_000);
  watches.at(-1)?.send(bookmark('20'));
  expect(await endAndWait(11)).toBeLessThan(1_000);
});

/** Ends the newest watch; how long it takes until the next one begins, in steps of 250 ms. */
async function endAndWait(count: number): Promise<number> {
  const from = clock.now();
  watches.at(-1)?.end();
  await watching(count);
  return clock.now() - from;
}
