/** What becomes of batches where they do not work, and of a thread that fails. */
import { afterEach, expect, test, vi } from 'vitest';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { PreparedAnswers } from '../fast/prepared-answers.ts';
import { DnsMetrics } from '../metrics.ts';
import type { Limits } from '../rate-limit/gate.ts';
import { askUdp } from '../testing/ask.ts';
import { TEST_GEO } from '../testing/routing-plan.ts';
import { chooseUdp } from './choose-udp.ts';
import { listenUdp } from './udp.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };
const prepared = new PreparedAnswers({ metrics: new DnsMetrics(), geo: TEST_GEO });

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function watchedLog() {
  const lines: string[] = [];
  const note = (level: string) => (_: unknown, message: string) => void lines.push(`${level}: ${message}`);
  const log = Object.assign(Object.create(silentLog), { info: note('info'), error: note('error') });
  return { log, lines };
}

const noFfi = () => Promise.reject(new Error("Cannot find module 'node:ffi'"));

test('where the calls are missing, auto answers packet by packet and says so in one line', async () => {
  const { log, lines } = watchedLog();
  const open = await chooseUdp({ mode: 'auto', workers: 2, prepared, limits: () => undefined }, log, noFfi);
  expect(open).toBe(listenUdp);
  const listeners = [
    await open(LOOPBACK, (query) => query, log),
    await open(LOOPBACK, (query) => query, log),
  ];
  stops.push(...listeners.map((listener) => () => listener.stop()));
  for (const { bound } of listeners) expect(String(await askUdp(bound, Buffer.from('a')))).toBe('a');
  expect(lines).toEqual(['info: UDP is answered packet by packet: batches do not work here']);
});

test('where the calls are missing, on does not start', async () => {
  const { log } = watchedLog();
  const choosing = chooseUdp({ mode: 'on', prepared, limits: () => undefined }, log, noFfi);
  await expect(choosing).rejects.toThrow('listen.batch is on, and it does not work here');
});

test('a thread that fails is started again, on the same socket', async () => {
  const { log, lines } = watchedLog();
  // Limits that are none are more than the thread can bear; the next one gets better ones.
  const limits = vi.fn<() => Limits | undefined>().mockReturnValueOnce({} as Limits);
  const open = await chooseUdp({ mode: 'on', workers: 1, prepared, limits }, log);
  const listener = await open(LOOPBACK, (query) => Buffer.from(query), log);
  stops.push(() => listener.stop());
  await eventually(() => expect(lines).toEqual(['error: a thread that answers DNS failed']));
  await eventually(async () => {
    expect(String(await askUdp(listener.bound, Buffer.from('a'), 500))).toBe('a');
  });
  expect(limits).toHaveBeenCalledTimes(2);
});
