import { expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { startLoadReports } from './load-reports.ts';

test('tells every ten seconds what was sent since, and who is connected', async () => {
  const clock = new FakeClock();
  let video = { requests: 10, hits: 5, bytes: 1_000 };
  const seen: unknown[] = [];
  const stop = startLoadReports(
    clock,
    {
      traffic: async () =>
        new Map([
          ['demo/video', video],
          ['demo/idle', { requests: 1, hits: 0, bytes: 1 }],
        ]),
      connections: async () => 7,
      busy: () => 0.25,
    },
    (load) => seen.push(load),
  );
  clock.advance(10_000);
  await eventually(() => expect(seen).toHaveLength(1));
  video = { requests: 50, hits: 35, bytes: video.bytes + 12_500_000 };
  clock.advance(10_000);
  await eventually(() => expect(seen).toHaveLength(2));
  const rates = { requestsPerSecond: 4, hitsPerSecond: 3, bitsPerSecond: 10_000_000 };
  expect(seen[1]).toEqual({
    type: 'load',
    cpu: 0.25,
    connections: 7,
    ...rates,
    domains: [{ domain: 'demo/video', ...rates }],
  });
  stop();
  clock.advance(60_000);
  expect(seen).toHaveLength(2);
});

test('measures a thread that is busy', async () => {
  const clock = new FakeClock();
  const cpus: number[] = [];
  const sources = { traffic: async () => new Map(), connections: async () => 0 };
  const stop = startLoadReports(clock, sources, ({ cpu }) => cpus.push(cpu));
  const until = performance.now() + 200;
  while (performance.now() < until);
  clock.advance(10_000);
  await eventually(() => expect(cpus).toHaveLength(1));
  expect(cpus[0]).toBeGreaterThan(0.3);
  expect(cpus[0]).toBeLessThanOrEqual(1);
  stop();
});

test('of several threads that serve, the busiest counts', async () => {
  const clock = new FakeClock();
  const cpus: number[] = [];
  let active = 0;
  const loop = (busy: number, idle: number) => ({ active: busy, idle, utilization: 0 });
  const threads = async () =>
    new Map([
      ['a', loop(0, 1_000)],
      ['b', loop(active, active)],
    ]);
  const sources = { traffic: async () => new Map(), connections: async () => 0, threads };
  const stop = startLoadReports(clock, sources, ({ cpu }) => cpus.push(cpu));
  await threads();
  active = 1_000;
  clock.advance(10_000);
  await eventually(() => expect(cpus).toHaveLength(1));
  expect(cpus[0]).toBeGreaterThanOrEqual(0.5);
  stop();
});
