import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from './listen.ts';

test.each([false, true])(
  'each family is listened on by itself, on one port (reusePort: %s)',
  async (reusePort) => {
    const seen: (string | undefined)[] = [];
    const servers = [0, 1].map(() =>
      createServer((socket) => {
        seen.push(socket.remoteAddress);
        socket.end();
      }),
    );
    const [v4 = createServer(), v6 = createServer()] = servers;
    try {
      const { port } = await listen(v4, { host: '0.0.0.0', port: 0 }, { reusePort });
      await listen(v6, { host: '::', port }, { reusePort });
      for (const host of ['127.0.0.1', '::1']) {
        await new Promise((resolve) => connect({ host, port }).once('close', resolve).resume());
      }
      // Not ::ffff:127.0.0.1, which no rule for an IPv4 network fits.
      expect(seen).toEqual(['127.0.0.1', '::1']);
    } finally {
      for (const server of servers) server.close();
    }
  },
);

test('an address that is taken is named, with the reason', async () => {
  const [first, second] = [createServer(), createServer()];
  try {
    const bound = await listen(first, { host: '127.0.0.1', port: 0 });
    await expect(listen(second, bound)).rejects.toThrow(
      `cannot listen on 127.0.0.1:${bound.port}: listen EADDRINUSE`,
    );
  } finally {
    first.close();
  }
});
