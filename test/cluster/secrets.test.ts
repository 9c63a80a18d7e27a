/** The installation's secrets in a Secret: for every replica, on any machine. */

import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import type { KubernetesApi } from '../../operator/kubernetes/api.ts';
import { watchMetrics } from '../../operator/kubernetes/watch-metrics.ts';
import { KubernetesSecret, SECRET_NAME } from '../../operator/secrets/kubernetes-secret.ts';
import { describeAgentSecrets } from '../../operator/testing/agent-secrets-suite.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type FaultyProxy, startProxy } from './proxy.ts';

const SOON = { timeout: 20_000, interval: 20 };

let cluster: Cluster;
let proxy: FaultyProxy;
let api: KubernetesApi;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.kubectl(['create', 'namespace', 'demo']);
}, 900_000);
afterAll(() => cluster.stop());
beforeEach(async () => {
  proxy = await startProxy(cluster.kubeconfig);
  api = proxy.api;
});
afterEach(async () => {
  await cluster.kubectl(['delete', 'secret', SECRET_NAME, '-n', 'demo', '--ignore-not-found']);
  await proxy.stop();
});

function open(mayWrite = () => {}) {
  const { log, lines } = countingLog();
  const metrics = watchMetrics(new Registry());
  const options = { api, namespace: 'demo', mayWrite, metrics, clock: systemClock, log };
  const secrets = new KubernetesSecret(options);
  const annotation = async () => (await secrets.rolloversAsked()).join(',');
  return {
    secrets,
    lines,
    async askForRollover(zone: string) {
      const zones = [await annotation(), zone].filter((text) => text !== '').join(',');
      const given = `cdn.weir.dev/rollover=${zones}`;
      await cluster.kubectl(['annotate', 'secret', SECRET_NAME, '-n', 'demo', '--overwrite', given]);
    },
  };
}

describeAgentSecrets('a Secret', () => open());

test('while it is followed, looking at it costs no request', async () => {
  const { secrets } = open();
  await secrets.write('a', 'one', undefined);
  const seen: unknown[] = [];
  const stop = secrets.follow((values) => void seen.push(values));
  await vi.waitFor(() => expect(seen).not.toEqual([]), SOON);
  const asked = proxy.seen.length;
  for (let look = 0; look < 10; look++) await secrets.read();
  expect(proxy.seen.length).toBe(asked);
  await stop();
});

test('one that is deleted is written again as it was: other keys would fit no DS', async () => {
  const { secrets } = open();
  await secrets.write('cdn.example.net.keys.json', 'key', undefined);
  const stop = secrets.follow(() => {});
  await vi.waitFor(() => expect(proxy.seen.some((line) => line.includes('watch=true'))).toBe(true), SOON);
  await cluster.kubectl(['delete', 'secret', SECRET_NAME, '-n', 'demo']);
  await vi.waitFor(async () => {
    expect(Object.fromEntries(await open().secrets.read())).toEqual({ 'cdn.example.net.keys.json': 'key' });
  }, SOON);
  await stop();
});

test('a right that is missing is told once, keeps what was held, and is no storm', async () => {
  const { secrets, lines } = open();
  await secrets.write('a', 'one', undefined);
  proxy.fault = ({ pathname }) =>
    pathname.endsWith('/secrets') ? { status: 403, body: { reason: 'Forbidden', message: 'no' } } : undefined;
  const asked = proxy.seen.length;
  const stop = secrets.follow(() => {});
  await vi.waitFor(() => expect(lines.length).toBeGreaterThan(0), SOON);
  expect(Object.fromEntries(await secrets.read())).toEqual({ a: 'one' });
  expect(lines).toHaveLength(1);
  expect(proxy.seen.length - asked).toBeLessThan(5);
  proxy.fault = () => undefined;
  await stop();
});

test('nothing is written while another replica may lead', async () => {
  const { secrets } = open(() => {
    throw new Error('another replica may lead');
  });
  await expect(secrets.write('a', 'one', undefined)).rejects.toThrow('may lead');
  expect((await cluster.try(['get', 'secret', SECRET_NAME, '-n', 'demo'])).code).toBe(1);
});
