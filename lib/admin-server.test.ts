import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startAdminServer } from './admin-server.ts';
import { listen } from './listen.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };

let server: Server;
let reason: string | undefined;
let metrics: Registry;

beforeEach(async () => {
  metrics = new Registry();
  reason = undefined;
  server = await startAdminServer({ listen: ANY_PORT, metrics, notReady: () => reason });
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const portOf = (of: Server) => (of.address() as AddressInfo).port;

async function get(path: string) {
  const response = await fetch(`http://127.0.0.1:${portOf(server)}${path}`);
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: await response.text(),
  };
}

const TEXT = 'text/plain; charset=utf-8';

describe('the admin port', () => {
  test('is alive also while it is not ready', async () => {
    reason = 'no plan yet';
    expect(await get('/healthz')).toEqual({ status: 200, type: TEXT, body: 'ok\n' });
    expect(await get('/readyz')).toEqual({ status: 503, type: TEXT, body: 'no plan yet\n' });
    reason = undefined;
    expect(await get('/readyz?verbose')).toEqual({ status: 200, type: TEXT, body: 'ok\n' });
  });

  test('shows the metrics of its own registry', async () => {
    const counter = new Counter({ name: 'weir_test_things_total', help: 'Things.', registers: [metrics] });
    counter.inc(3);
    const answer = await get('/metrics');
    expect(answer).toMatchObject({ status: 200, type: metrics.contentType });
    expect(answer.body).toContain('\nweir_test_things_total 3\n');
  });

  test('says why metrics cannot be shown', async () => {
    const broken = {
      collect: () => {
        throw new Error('no such gauge');
      },
    };
    new Counter({ name: 'weir_test_broken_total', help: 'Broken.', registers: [metrics], ...broken });
    expect(await get('/metrics')).toMatchObject({ status: 500, body: 'Error: no such gauge\n' });
  });

  test('names its paths where there is none', async () => {
    expect(await get('/')).toMatchObject({ status: 404, body: 'paths here: /healthz /readyz /metrics\n' });
  });
});

test('a port that is taken is named, with the reason', async () => {
  const port = portOf(server);
  await expect(listen(createServer(), { host: '127.0.0.1', port })).rejects.toThrow(
    new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`),
  );
});
