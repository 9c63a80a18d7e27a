import { expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { startLoadReports } from './load-reports.ts';

test('tells every ten seconds what was sent since, and who is connected', async () => {
  const clock = new FakeClock();
  let bytes = 1_000;
  const seen: unknown[] = [];
  const stop = startLoadReports(
    clock,
    { bytesSent: async () => bytes, connections: async () => 7, busy: () => 0.25 },
    (load) => seen.push(load),
  );
  clock.advance(10_000);
  await eventually(() => expect(seen).toHaveLength(1));
  bytes += 12_500_000;
  clock.advance(10_000);
  await eventually(() => expect(seen).toHaveLength(2));
  expect(seen[1]).toEqual({ type: 'load', cpu: 0.25, bitsPerSecond: 10_000_000, connections: 7 });
  stop();
  clock.advance(60_000);
  expect(seen).toHaveLength(2);
});

test('measures a thread that is busy', async () => {
  const clock = new FakeClock();
  const cpus: number[] = [];
  const sources = { bytesSent: async () => 0, connections: async () => 0 };
  const stop = startLoadReports(clock, sources, ({ cpu }) => cpus.push(cpu));
  const until = performance.now() + 200;
  while (performance.now() < until);
  clock.advance(10_000);
  await eventually(() => expect(cpus).toHaveLength(1));
  expect(cpus[0]).toBeGreaterThan(0.3);
  expect(cpus[0]).toBeLessThanOrEqual(1);
  stop();
});
