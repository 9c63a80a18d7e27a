import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { silentLog } from '../../lib/log.ts';
import { listenTcp } from './tcp.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function start(limits: { connections: number; perClient: number }) {
  const onRefused = vi.fn<() => void>();
  const onEvicted = vi.fn<() => void>();
  const listener = await listenTcp({ host: '127.0.0.1', port: 0 }, (message) => message, silentLog, {
    limits: { ...limits, idleMs: 10_000 },
    onRefused,
    onEvicted,
  });
  stops.push(() => listener.stop());
  const open = async (localAddress: string) => {
    const socket = connect({ ...listener.bound, localAddress });
    const closed = once(socket, 'close').then(() => 'closed');
    socket.on('error', () => {});
    socket.write(Buffer.of(0, 1, 7));
    const answered = once(socket, 'data').then(() => 'answered');
    return { socket, outcome: await Promise.race([answered, closed]) };
  };
  return { open, onRefused, onEvicted };
}

test('one client cannot take all connections, and gets new ones as it gives up old ones', async () => {
  const { open, onRefused } = await start({ connections: 10, perClient: 2 });
  const [first, second, third] = [await open('127.0.0.1'), await open('127.0.0.1'), await open('127.0.0.1')];
  expect([first, second, third].map(({ outcome }) => outcome)).toEqual(['answered', 'answered', 'closed']);
  expect((await open('127.0.0.2')).outcome).toBe('answered');
  expect(onRefused).toHaveBeenCalledTimes(1);
  first.socket.destroy();
  await vi.waitFor(async () => expect((await open('127.0.0.1')).outcome).toBe('answered'));
});

test('the connection that was idle for the longest makes room for another, and those in use do not', async () => {
  const { open, onRefused, onEvicted } = await start({ connections: 2, perClient: 10 });
  const [first, second] = [await open('127.0.0.1'), await open('127.0.0.2')];
  const firstAnswers = () => {
    first.socket.write(Buffer.of(0, 1, 7));
    return once(first.socket, 'data');
  };
  const closed = once(second.socket, 'close');
  // Whoever is not idle yet is not closed; the newcomer comes back until somebody is.
  await vi.waitFor(
    async () => {
      await firstAnswers();
      expect((await open('127.0.0.3')).outcome).toBe('answered');
    },
    { timeout: 10_000, interval: 50 },
  );
  await closed;
  await firstAnswers();
  expect(onEvicted).toHaveBeenCalledTimes(1);
  expect(onRefused).toHaveBeenCalled();
});

test('connections beyond the limit of all are refused, and counted', async () => {
  const { open, onRefused } = await start({ connections: 2, perClient: 10 });
  for (const address of ['127.0.0.1', '127.0.0.2']) expect((await open(address)).outcome).toBe('answered');
  expect((await open('127.0.0.3')).outcome).toBe('closed');
  expect(onRefused).toHaveBeenCalledTimes(1);
});
