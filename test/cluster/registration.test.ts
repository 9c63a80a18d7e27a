/** EdgeNodes of Kubernetes nodes with an edge pod: made, changed, drained and removed as those are. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { prepareSystem, type System } from '../system/programs.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type EdgePods, edgePods } from './edge-pods.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'kubernetes');
const SOON = { timeout: 30_000, interval: 100 };

let cluster: Cluster;
let system: System;
let pods: EdgePods;

beforeAll(async () => {
  cluster = await startCluster();
  pods = edgePods(cluster);
  const rbac = parseAllDocuments(readFileSync(join(EXAMPLE, 'rbac.yaml'), 'utf8')).map((row) => row.toJS());
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], rbac);
  const kubeconfig = await cluster.kubeconfigOf('weir-operator', 'weir-system');
  system = await prepareSystem({
    source: (folder) => ({ source: 'kubernetes', kubeconfig, config: join(folder, 'weir.yaml') }),
  });
  const settings = parse(readFileSync(join(EXAMPLE, 'settings', 'weir.yaml'), 'utf8'));
  const registration = { regions: { 'cn-north-1': 'cn-north' }, nodeLabels: ['pool'] };
  await writeFile(join(system.folder, 'weir.yaml'), stringify({ ...settings, registration }));
  system.startOperator();
}, 900_000);

afterAll(async () => {
  await system.stop();
  await cluster.stop();
});

const edgeNode = async (name: string) =>
  JSON.parse(await cluster.kubectl(['get', 'edge', name, '--show-managed-fields', '-o', 'json']));
const isSchedulable = (name: string, wanted: boolean) =>
  vi.waitFor(async () => expect((await edgeNode(name)).spec.schedulable).toBe(wanted), SOON);

describe('a node with an edge pod', () => {
  test('is an EdgeNode, owned by it, that answers once its pod was Ready', async () => {
    await pods.addNode('zz-1', '203.0.113.10', { pool: 'video' });
    await isSchedulable('zz-1', false);
    await pods.setReady('edge-zz-1');
    await isSchedulable('zz-1', true);
    const { uid } = JSON.parse(await cluster.kubectl(['get', 'node', 'zz-1', '-o', 'json'])).metadata;
    expect(await edgeNode('zz-1')).toMatchObject({
      metadata: {
        labels: { pool: 'video' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'zz-1', uid }],
      },
      spec: { addresses: ['203.0.113.10'], ports: { http: 8080 }, region: 'cn-north', weight: 100 },
    });
    await cluster.kubectl(['wait', 'edge/zz-1', '--for=condition=Accepted', '--timeout=30s']);
  }, 90_000);

  test('follows its labels, and leaves what a person set', async () => {
    await cluster.kubectl(['patch', 'edge', 'zz-1', '--type=merge', '-p', '{"spec":{"isps":[4837]}}']);
    await cluster.kubectl(['annotate', 'node', 'zz-1', 'weir.dev/isps=9929', 'weir.dev/bandwidth=10Gbps']);
    await cluster.kubectl(['label', 'node', 'zz-1', 'weir.dev/weight=50']);
    await vi.waitFor(async () => {
      expect((await edgeNode('zz-1')).spec).toMatchObject({
        weight: 50,
        capacity: { bandwidth: '10Gbps' },
        isps: [4837],
      });
    }, SOON);
  }, 60_000);

  test('is not written when nothing changed', async () => {
    const written = async () => {
      const { managedFields } = (await edgeNode('zz-1')).metadata;
      return managedFields.filter(({ manager }: { manager: string }) => manager === 'weir-registration');
    };
    const before = await written();
    // No business of ours; a second node shows that it was looked at.
    await cluster.kubectl(['label', 'node', 'zz-1', 'unrelated=yes']);
    await pods.addNode('zz-2', '203.0.113.11');
    await isSchedulable('zz-2', false);
    expect(await written()).toEqual(before);
  }, 60_000);

  test('a label that is wrong is told in an Event of the node, and changes nothing', async () => {
    await cluster.kubectl(['label', 'node', 'zz-1', '--overwrite', 'weir.dev/weight=heavy']);
    await vi.waitFor(async () => {
      const text = await cluster.kubectl(['describe', 'node', 'zz-1']);
      expect(text).toMatch(/Warning +InvalidLabel +.*weir\.dev\/weight.*"heavy"/);
    }, SOON);
    expect((await edgeNode('zz-1')).spec.weight).toBe(50);
    await cluster.kubectl(['label', 'node', 'zz-1', 'weir.dev/weight-']);
    await vi.waitFor(async () => expect((await edgeNode('zz-1')).spec.weight).toBe(100), SOON);
  }, 60_000);
});

describe('leaves DNS', () => {
  test('when its node is cordoned, and comes back with it', async () => {
    await cluster.kubectl(['cordon', 'zz-1']);
    await isSchedulable('zz-1', false);
    await cluster.kubectl(['uncordon', 'zz-1']);
    await isSchedulable('zz-1', true);
  }, 60_000);

  test('when its pod is to end, while that still runs; a new pod takes its place once it is Ready', async () => {
    await pods.endSoon('edge-zz-1');
    await isSchedulable('zz-1', false);
    expect(await cluster.kubectl(['get', 'pod', 'edge-zz-1', '-n', 'weir-system'])).toContain('edge-zz-1');
    expect((await edgeNode('zz-1')).metadata.annotations).toHaveProperty(['cdn.weir.dev/leaving-since']);
    await pods.end('edge-zz-1');
    await pods.addPod('zz-1', 'edge-next');
    await pods.setReady('edge-next');
    await isSchedulable('zz-1', true);
    expect((await edgeNode('zz-1')).metadata.annotations).not.toHaveProperty(['cdn.weir.dev/leaving-since']);
  }, 60_000);

  test('when its pod is gone, and is removed after its linger', async () => {
    await pods.end('edge-next');
    await isSchedulable('zz-1', false);
    const long = { metadata: { annotations: { 'cdn.weir.dev/leaving-since': '2026-01-01T00:00:00Z' } } };
    await cluster.kubectl(['patch', 'edge', 'zz-1', '--type=merge', '-p', JSON.stringify(long)]);
    await cluster.kubectl(['wait', 'edge/zz-1', '--for=delete', '--timeout=30s']);
  }, 60_000);

  test('when its node is deleted', async () => {
    await pods.setReady('edge-zz-2');
    await isSchedulable('zz-2', true);
    await cluster.kubectl(['delete', 'node', 'zz-2']);
    await vi.waitFor(async () => {
      const { code, stdout } = await cluster.try([
        'get',
        'edge',
        'zz-2',
        '-o',
        'jsonpath={.spec.schedulable}',
      ]);
      expect([
        [1, ''],
        [0, 'false'],
      ]).toContainEqual([code, stdout]);
    }, SOON);
  }, 60_000);
});

test('an EdgeNode that somebody made is left alone', async () => {
  const theirs = {
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'EdgeNode',
    metadata: { name: 'la-1' },
    spec: { addresses: ['198.51.100.9'], region: 'us-west' },
  };
  await cluster.kubectl(['create', '-f', '-'], [theirs]);
  await pods.addNode('la-1', '203.0.113.30');
  await pods.setReady('edge-la-1');
  await vi.waitFor(async () => {
    expect(await cluster.kubectl(['describe', 'node', 'la-1'])).toMatch(/Warning +NameTaken/);
  }, SOON);
  expect((await edgeNode('la-1')).spec.addresses).toEqual(['198.51.100.9']);
}, 60_000);
