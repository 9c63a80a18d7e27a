import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from './listen.ts';
import { tryBind } from './try-bind.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

test('a free port can be bound, and is free again afterwards', async () => {
  const server = createServer();
  const address = await listen(server, LOOPBACK);
  expect(await tryBind(address, 'tcp')).toBe('EADDRINUSE');
  server.close();
  await once(server, 'close');
  expect(await tryBind(address, 'tcp')).toBeUndefined();
  expect(await tryBind(address, 'tcp')).toBeUndefined();
});

test('a UDP port in use is told from a TCP one', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const address = { host: '127.0.0.1', port: socket.address().port };
  expect(await tryBind(address, 'udp')).toBe('EADDRINUSE');
  expect(await tryBind(address, 'tcp')).toBeUndefined();
  socket.close();
});

test('an address of another machine', async () => {
  // TEST-NET-3 (RFC 5737): nobody has it.
  expect(await tryBind({ host: '203.0.113.10', port: 0 }, 'tcp')).toBe('EADDRNOTAVAIL');
  expect(await tryBind({ host: '203.0.113.10', port: 0 }, 'udp')).toBe('EADDRNOTAVAIL');
});
