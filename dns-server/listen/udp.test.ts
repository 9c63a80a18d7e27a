/** Senders that no well-meant program has: whoever forges packets can write any port into them. */
import { createSocket, type Socket } from 'node:dgram';
import { expect, test, vi } from 'vitest';
import { silentLog } from '../../lib/log.ts';
import { askUdp } from '../testing/ask.ts';
import { listenUdp } from './udp.ts';

vi.mock(import('node:dgram'), { spy: true });

test('a datagram from port 0 is passed over, and those behind it are answered', async () => {
  const handle = vi.fn((message: Buffer) => Buffer.from(message));
  const listener = await listenUdp({ host: '127.0.0.1', port: 0 }, handle, silentLog);
  const socket = vi.mocked(createSocket).mock.results[0]?.value as Socket;
  // No socket of ours may send from port 0: it comes as the kernel would hand it over.
  socket.emit('message', Buffer.from('forged'), { address: '127.0.0.1', family: 'IPv4', port: 0, size: 6 });
  expect(String(await askUdp(listener.bound, Buffer.from('a')))).toBe('a');
  expect(handle).toHaveBeenCalledTimes(1);
  await listener.stop();
});
