import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { boundPort } from './bound-port.ts';
import { listen } from './listen.ts';

test('is what listen() got, and 0 without one', async () => {
  const server = createServer();
  expect(boundPort(server)).toBe(0);
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  expect(port).toBeGreaterThan(0);
  expect(boundPort(server)).toBe(port);
  server.close();
});
