/**
 * Given certificates on a real API server, by the rights that the operator really has: the Secret of a tenant by its name
 * alone, what is said where it may not be read, and what stays in force when it is spoilt, replaced or deleted.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { type Probe, probeEdge } from '../../agent/testing/probe-edge.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import { type TestPair, testCa } from '../../operator/testing/certificates.ts';
import { placeOf } from '../../operator/testing/trust.ts';
import { type Cluster, startCluster } from './cluster.ts';

const ROOT = join(import.meta.dirname, '../..');
const SOON = { timeout: 40_000, interval: 100 };
const API_VERSION = 'cdn.weir.dev/v1alpha1';

let cluster: Cluster;
let ca: Awaited<ReturnType<typeof testCa>>;
let kubeconfig: string;
let folder: string;
let operator: Operator | undefined;
const probes: Probe[] = [];
let lines: unknown[];

const documents = (text: string) =>
  parseAllDocuments(text).map((document) => z.record(z.string(), z.unknown()).parse(document.toJS()));
const apply = (...objects: object[]) =>
  cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], objects);

beforeAll(async () => {
  cluster = await startCluster();
  ca = await testCa();
  await apply(...documents(await readFile(join(ROOT, 'examples/kubernetes/rbac.yaml'), 'utf8')));
  await apply({
    apiVersion: API_VERSION,
    kind: 'EdgeNode',
    metadata: { name: 'a' },
    spec: { addresses: ['127.0.0.1'], region: 'us-west' },
  });
  kubeconfig = await cluster.kubeconfigOf('weir-operator', 'weir-system');
}, 900_000);
afterAll(() => cluster.stop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-certificates-'));
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } });
  await start();
});
afterEach(async () => {
  await stop();
  await cluster.kubectl(['delete', 'cdn,cdncert,secret,rolebinding', '--all', '-n', 'demo']);
  await rm(folder, { recursive: true });
});

async function start(): Promise<void> {
  const counted = countingLog();
  lines = counted.lines;
  operator = await startOperator({
    kubeconfig,
    config: join(ROOT, 'contract/kinds/testdata/example-weir.yaml'),
    state: join(folder, 'state'),
    listen: { host: '127.0.0.1', port: 0 },
    log: counted.log,
  });
}

async function stop(): Promise<void> {
  await Promise.all(probes.splice(0).map(({ agent }) => agent.stop()));
  await operator?.stop();
  operator = undefined;
}

const inDemo = (name: string) => ({ name, namespace: 'demo' });
const secret = (pair: TestPair) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'kubernetes.io/tls',
  metadata: inDemo('video-tls'),
  stringData: pair,
});
const certificate = {
  apiVersion: API_VERSION,
  kind: 'Certificate',
  metadata: inDemo('video'),
  spec: { hostnames: ['video.example.com'], secretRef: { name: 'video-tls' } },
};
const domain = {
  apiVersion: API_VERSION,
  kind: 'CdnDomain',
  metadata: inDemo('video'),
  spec: {
    hostname: 'video.example.com',
    origins: [{ name: 'main', url: 'http://192.0.2.1' }],
    tls: { certificateRef: { name: 'video' } },
  },
};
/** The block of docs/tenancy.md, as a tenant would take it from there. */
async function grant(): Promise<void> {
  const page = await readFile(join(ROOT, 'docs/tenancy.md'), 'utf8');
  const [, text = ''] = /## Certificates\n.*?^```yaml\n(.*?)^```/ms.exec(page) ?? [];
  await apply(...documents(text));
}

async function condition(
  what: string,
  type: string,
): Promise<{ status: string; reason: string; message: string }> {
  const path = `jsonpath={.status.conditions[?(@.type=="${type}")]}`;
  return JSON.parse((await cluster.kubectl(['get', what, '-n', 'demo', '-o', path])) || '{}');
}

async function edge(name: string) {
  const place = await placeOf(
    stateFolder(join(folder, 'state')),
    operator?.address ?? expect.fail('no operator'),
  );
  const given: string[][] = [];
  const onSecrets = (values: ReadonlyMap<string, string>) =>
    void given.push(
      [...values.values()].map((value) => (JSON.parse(value) as { chain: string }).chain.slice(0, 200)),
    );
  const probe = await probeEdge(folder, place, { node: 'a', folder: join(folder, name), onSecrets });
  probes.push(probe);
  await probe.agent.load();
  probe.agent.connect();
  return given;
}
const startOf = ({ 'tls.crt': chain }: TestPair) => chain.slice(0, 200);
const pair = (names = ['video.example.com']) => ca.issue({ names, notAfter: '2036-01-01T00:00:00Z' });

test('a Secret that may not be read says which right is missing; granted by its name, it is in force', async () => {
  const first = await pair();
  await apply(secret(first), certificate, domain);
  await vi.waitFor(async () => {
    expect(await condition('cdncert/video', 'Issued')).toMatchObject({
      status: 'False',
      reason: 'SecretForbidden',
      message: expect.stringContaining(
        'list and watch secrets with resourceNames [video-tls] in namespace demo',
      ),
    });
    expect(await condition('cdn/video', 'CertificateReady')).toMatchObject({ reason: 'SecretForbidden' });
  }, SOON);
  await grant();
  const given = await edge('one');
  await vi.waitFor(
    async () => expect(await condition('cdn/video', 'CertificateReady')).toMatchObject({ status: 'True' }),
    SOON,
  );
  await vi.waitFor(() => expect(given.at(-1)).toEqual([startOf(first)]), SOON);
  expect(await cluster.kubectl(['get', 'cdncert', '-n', 'demo'])).toMatch(
    /video.*2036-01-01T00:00:00.000Z *True *Ready/,
  );
}, 120_000);

test('replaced, spoilt, deleted: the last good one stays, also for a new operator and a new edge', async () => {
  await grant();
  const [first, second] = [await pair(), await pair()];
  await apply(secret(first), certificate, domain);
  const given = await edge('one');
  await vi.waitFor(() => expect(given.at(-1)).toEqual([startOf(first)]), SOON);
  await apply(secret(second));
  await vi.waitFor(() => expect(given.at(-1)).toEqual([startOf(second)]), SOON);
  await apply(secret({ ...(await pair()), 'tls.key': first['tls.key'] }));
  const refused = (reason: string) => ({
    status: 'False',
    reason,
    message: expect.stringContaining('stays in force'),
  });
  await vi.waitFor(
    async () =>
      expect(await condition('cdn/video', 'CertificateReady')).toMatchObject(refused('KeyMismatch')),
    SOON,
  );
  await cluster.kubectl(['delete', 'secret', 'video-tls', '-n', 'demo']);
  await vi.waitFor(
    async () => expect(await condition('cdncert/video', 'Issued')).toMatchObject(refused('SecretNotFound')),
    SOON,
  );
  await stop();
  await rm(join(folder, 'state'), { recursive: true });
  await start();
  const fresh = await edge('two');
  await vi.waitFor(() => expect(fresh.at(-1)).toEqual([startOf(second)]), SOON);
  expect(JSON.stringify(lines)).not.toContain(second['tls.key'].split('\n')[1]);
  await cluster.kubectl(['delete', 'cdn,cdncert', '--all', '-n', 'demo']);
  const kept = async () =>
    cluster.kubectl(['get', 'secret', '-n', 'weir-system', '-l', 'cdn.weir.dev/vault=true', '-o', 'name']);
  await vi.waitFor(async () => expect((await kept()).trim()).toBe(''), SOON);
}, 180_000);
