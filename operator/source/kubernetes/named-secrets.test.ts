/** Whoever waits for Secrets is told when to look again: one was read, can't be read, or does not come. No timer polls. */
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../../lib/clock.ts';
import { silentLog } from '../../../lib/log.ts';
import { eventually } from '../../../lib/testing/eventually.ts';
import type { KubernetesApi } from '../../kubernetes/api.ts';
import { watchMetrics } from '../../kubernetes/watch-metrics.ts';
import { NamedSecrets } from './named-secrets.ts';

const WANTED = new Set(['demo/video']);

let clock: FakeClock;
let told: number;
let answer: PromiseWithResolvers<unknown>;
let secrets: NamedSecrets;

beforeEach(() => {
  clock = new FakeClock();
  told = 0;
  answer = Promise.withResolvers();
  const metrics = watchMetrics(new Registry());
  secrets = new NamedSecrets({ api: playedApi(), metrics, clock, log: silentLog }, () => told++);
});
afterEach(async () => {
  answer.resolve({ metadata: { resourceVersion: '1' }, items: [] });
  await secrets.stop();
});

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
    get: () => answer.promise,
    async *watch(_path, _query, signal) {
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      yield* [];
    },
  };
}

test('one that was read', async () => {
  expect(secrets.follow(WANTED)).toBe(false);
  clock.advance(2_900);
  expect([told, secrets.follow(WANTED)]).toEqual([0, false]);
  answer.resolve({ metadata: { resourceVersion: '1' }, items: [] });
  await eventually(() => expect(told).toBe(1));
  expect(secrets.follow(WANTED)).toBe(true);
  clock.advance(10_000);
  expect(told).toBe(1);
});

test('one that can’t be read', async () => {
  expect(secrets.follow(WANTED)).toBe(false);
  answer.reject(new Error('refused'));
  await eventually(() => expect(told).toBe(1));
  expect(secrets.follow(WANTED)).toBe(true);
});

test('one that does not come keeps the others waiting for three seconds', () => {
  expect(secrets.follow(WANTED)).toBe(false);
  clock.advance(3_000);
  expect([told, secrets.follow(WANTED)]).toEqual([1, true]);
});

test('one that nobody wants any longer is not waited for', () => {
  expect(secrets.follow(WANTED)).toBe(false);
  expect(secrets.follow(new Set())).toBe(true);
  clock.advance(3_000);
  expect(told).toBe(0);
});
