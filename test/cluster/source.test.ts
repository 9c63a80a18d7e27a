/** The Kubernetes source loses nothing, whatever happens between it and the API server. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { KINDS } from '../../contract/kinds/kinds.ts';
import { systemClock } from '../../lib/clock.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import { silentLog } from '../../lib/log.ts';
import { type KubernetesApi, kubernetesApi } from '../../operator/kubernetes/api.ts';
import { loadCredentials } from '../../operator/kubernetes/credentials.ts';
import { watchMetrics } from '../../operator/kubernetes/watch-metrics.ts';
import { ConfigFile } from '../../operator/source/kubernetes/config-file.ts';
import { kubernetesSource } from '../../operator/source/kubernetes/kubernetes-source.ts';
import type { Loaded, Source } from '../../operator/source/source.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type FaultyProxy, startProxy } from './proxy.ts';

const SOON = { timeout: 20_000, interval: 20 };
const DOMAINS = '/apis/cdn.weir.dev/v1alpha1/namespaces/demo/cdndomains';

let cluster: Cluster;
/** Past the proxy. */
let direct: KubernetesApi;
let folder: string;
let proxy: FaultyProxy;
let source: Source;
let registry: Registry;
let moments: Loaded[];

beforeAll(async () => {
  cluster = await startCluster();
  folder = await mkdtemp(join(tmpdir(), 'weir-source-'));
  await writeFile(join(folder, 'weir.yaml'), 'zones: []\n');
  direct = kubernetesApi((await loadCredentials(cluster.kubeconfig)).credentials);
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } }],
  );
}, 900_000);
afterAll(async () => {
  await direct.close();
  await cluster.stop();
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  await create('first');
  proxy = await startProxy(cluster.kubeconfig);
  moments = [];
  registry = new Registry();
  source = kubernetesSource({
    api: proxy.api,
    config: await ConfigFile.open(join(folder, 'weir.yaml'), silentLog),
    metrics: watchMetrics(registry),
    clock: systemClock,
    log: silentLog,
    // Waits are a tenth of what they may be.
    random: () => 0.1,
  });
});
afterEach(async () => {
  await source.stop();
  await proxy.stop();
  await direct.remove(DOMAINS);
});

const create = (name: string) =>
  direct.create(DOMAINS, {
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'CdnDomain',
    metadata: { name },
    spec: { hostname: `${name}.example.com`, origins: [{ name: 'main', url: 'http://192.0.2.1' }] },
  });
const names = () =>
  moments
    .at(-1)
    ?.documents.filter(({ file }) => file.startsWith('cdndomains/'))
    .map(({ file }) => file.split('/').at(-1));
const sees = (...wanted: string[]) => vi.waitFor(() => expect(names()).toEqual(wanted), SOON);
const start = () => source.start((loaded) => void moments.push(loaded));

async function count(metric: string, labels: Record<string, string>): Promise<number> {
  const { values } = z
    .object({ values: z.array(z.object({ value: z.number(), labels: z.record(z.string(), z.unknown()) })) })
    .parse(await registry.getSingleMetric(metric)?.get());
  return values
    .filter((row) => Object.entries(labels).every(([name, value]) => row.labels[name] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
const relists = (reason: string) => count('weir_operator_watch_relists_total', { reason });
const restarts = () => count('weir_operator_watch_restarts_total', {});

test('objects come, change and go; what the server made of them is known', async () => {
  start();
  await sees('first');
  expect(moments.at(-1)?.documents[0]).toMatchObject({
    server: { uid: expect.any(String), generation: 1, creationTimestamp: expect.any(String) },
  });
  const patch = { spec: { aliases: ['w.example.com'] } };
  await cluster.kubectl(['patch', 'cdn', 'first', '-n', 'demo', '--type=merge', '-p', JSON.stringify(patch)]);
  await vi.waitFor(() => expect(moments.at(-1)?.documents[0]?.server?.generation).toBe(2), SOON);
  expect(moments.at(-1)?.documents[0]?.value).toMatchObject({ spec: { aliases: ['w.example.com'] } });
  await direct.remove(`${DOMAINS}/first`);
  await sees();
});

test('more than one page is read whole, and handed over at once', async () => {
  const many = Array.from({ length: 510 }, (_, index) => `page-${String(index).padStart(3, '0')}`);
  await inParallel(many, 16, async (name) => void (await create(name)));
  start();
  await sees('first', ...many);
  expect(proxy.seen.some((line) => line.includes('continue='))).toBe(true);
  expect(moments.map(({ documents }) => documents.length).filter((length) => length < 511)).toEqual([]);
}, 60_000);

test('a slow list: nothing is handed over before all kinds were read', async () => {
  proxy.slowListMs = 700;
  start();
  await create('second');
  await sees('first', 'second');
  expect(moments.every(({ documents }) => documents.length > 0)).toBe(true);
});

test('a watch that is cut is taken up where it ended: no list, nothing lost, deletions too', async () => {
  start();
  await sees('first');
  proxy.fault = () => ({ status: 503, body: {} });
  proxy.cut();
  await create('second');
  await direct.remove(`${DOMAINS}/first`);
  proxy.fault = () => undefined;
  await sees('second');
  expect(await restarts()).toBeGreaterThan(0);
  expect([await relists('Start'), await relists('Expired')]).toEqual([Object.keys(KINDS).length, 0]);
});

test.each([
  ['as an answer', 410, { reason: 'Expired', message: 'too old resource version' }],
  ['as an event', 200, { type: 'ERROR', object: { code: 410, message: 'too old resource version' } }],
  ['as any other event that is an error', 200, { type: 'ERROR', object: { code: 500, message: 'etcd' } }],
  ['as an event that is none', 200, { type: 'ADDED', object: { kind: 'CdnDomain' } }],
])('a version that is gone, %s: a list finds what was missed', async (_how, status, body) => {
  start();
  await sees('first');
  proxy.fault = ({ pathname, searchParams }) =>
    pathname.endsWith('/cdndomains') && searchParams.has('watch') ? { status, body } : undefined;
  proxy.cut();
  await vi.waitFor(async () => expect(await relists('Expired')).toBeGreaterThan(0), SOON);
  await create('second');
  await sees('first', 'second');
  proxy.fault = () => undefined;
  await create('third');
  await sees('first', 'second', 'third');
});

test('a storm of 5xx takes nothing away, and does not become one of ours', async () => {
  start();
  await sees('first');
  const handed = moments.length;
  proxy.fault = () => ({ status: 500, body: { message: 'etcdserver: request timed out' } });
  const asked = proxy.seen.length;
  proxy.cut();
  await create('second');
  await vi.waitFor(async () => expect(await restarts()).toBeGreaterThanOrEqual(9), SOON);
  expect(moments).toHaveLength(handed);
  // Three collections, each with pauses that double.
  expect(proxy.seen.length - asked).toBeLessThan(30);
  proxy.fault = () => undefined;
  await sees('first', 'second');
});

test('the API server is killed and comes back', async (context) => {
  const { plane } = cluster;
  if (!plane) return context.skip('not in a borrowed cluster: it kills the API server');
  start();
  await sees('first');
  await plane.killApiServer();
  await plane.startApiServer();
  await create('second');
  await sees('first', 'second');
}, 90_000);

test('weir.yaml that changes makes a new moment; one that vanishes stays', async () => {
  start();
  await sees('first');
  await rm(join(folder, 'weir.yaml'));
  await writeFile(join(folder, 'weir.yaml'), 'zones: [a]\n');
  await vi.waitFor(() => expect(moments.at(-1)?.config?.value).toEqual({ zones: ['a'] }), SOON);
  await rm(join(folder, 'weir.yaml'));
  await create('second');
  await sees('first', 'second');
  expect(moments.at(-1)?.config?.value).toEqual({ zones: ['a'] });
  await writeFile(join(folder, 'weir.yaml'), 'zones: []\n');
}, 30_000);
