/** What becomes of batches where they do not work, and of a thread that fails. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
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
const prepared = new PreparedAnswers({ metrics: new DnsMetrics(), geo: TEST_GEO, ordinary: () => undefined });

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

test('queries that wait for the ordinary path beyond a bound are dropped and counted, and later ones answered', async () => {
  const { log } = watchedLog();
  const metrics = new DnsMetrics();
  const onShed = vi.fn((queries: number) => metrics.shed(queries));
  const choice = { mode: 'on', workers: 1, prepared, limits: () => undefined, onShed } as const;
  const open = await chooseUdp(choice, log);
  const handle = vi.fn((query: Buffer) => Buffer.from(query));
  const listener = await open(LOOPBACK, handle, log);
  stops.push(() => listener.stop());
  const socket = createSocket('udp4');
  stops.push(async () => void socket.close());
  socket.connect(listener.bound.port, '127.0.0.1');
  await once(socket, 'connect');
  let sent = 0;
  await eventually(() => {
    // This thread, which is the one with the ordinary path, does nothing else meanwhile: what comes waits for it.
    for (let query = 0; query < 20_000; query++, sent++) socket.send('a');
    expect(onShed).toHaveBeenCalled();
  });
  await eventually(async () => expect(String(await askUdp(listener.bound, Buffer.from('b'), 500))).toBe('b'));
  const shed = onShed.mock.calls.reduce((sum, [queries]) => sum + queries, 0);
  expect(await metrics.registry.metrics()).toContain(`weir_dns_shed_total ${shed}`);
  expect(shed + handle.mock.calls.length).toBeLessThanOrEqual(sent + 100);
});
