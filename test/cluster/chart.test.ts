/** The chart on a real API server: every object is one that it takes, and pods keep the Pod Security level they claim. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Manifest, render } from '../helm/helm.ts';
import { type Cluster, startCluster } from './cluster.ts';

const TESTDATA = join(import.meta.dirname, '../helm/testdata');
const renderCase = (name: string) => render('-f', join(TESTDATA, `${name}.values.yaml`));

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
  const namespace = (name: string, level: string) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': level } },
  });
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    [
      namespace('weir-system', 'privileged'),
      namespace('demo', 'privileged'),
      namespace('shop', 'privileged'),
      namespace('strict', 'restricted'),
    ],
  );
}, 900_000);

afterAll(() => cluster.stop());

test.each(['defaults', 'all-there-is', 'host-network', 'edges-of-another-cluster'])(
  '%s: every object is taken as it is',
  async (name) => {
    const manifests = await renderCase(name);
    const { code, stdout, stderr } = await cluster.try(
      ['apply', '--server-side', '--dry-run=server', '--validate=strict', '--force-conflicts', '-f', '-'],
      manifests,
    );
    expect([code, stderr.replaceAll(/^Warning: would violate PodSecurity.*\n/gm, '')]).toEqual([0, '']);
    expect(stdout.trim().split('\n')).toHaveLength(manifests.length);
  },
  60_000,
);

test('examples/kind: every object is taken as it is, by the chart’s CRDs too', async () => {
  const values = join(import.meta.dirname, '../../examples/kind/values.yaml');
  const demo = readFileSync(join(import.meta.dirname, '../../examples/kind/demo.yaml'), 'utf8');
  const manifests = [
    ...(await render('-f', values)),
    ...parseAllDocuments(demo).map((document) => document.toJS()),
  ];
  const flags = ['--server-side', '--dry-run=server', '--validate=strict', '--force-conflicts'];
  const { code, stderr } = await cluster.try(['apply', ...flags, '-f', '-'], manifests);
  expect([code, stderr.replaceAll(/^Warning: would violate PodSecurity.*\n/gm, '')]).toEqual([0, '']);
}, 60_000);

test('applied twice, nothing changes', async () => {
  const manifests = (await renderCase('defaults')).filter(({ kind }) => kind !== 'Pod');
  const apply = ['apply', '--server-side', '--force-conflicts', '-f', '-'];
  await cluster.kubectl(apply, manifests);
  const versions = async () => {
    const kinds = 'deployments,daemonsets,services,configmaps,roles,networkpolicies,poddisruptionbudgets';
    const rows = '{range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{"\\n"}{end}';
    return cluster.kubectl(['get', kinds, '-n', 'weir-system', '-o', `jsonpath=${rows}`]);
  };
  const before = await versions();
  await cluster.kubectl(apply, manifests);
  expect(await versions()).toBe(before);
}, 120_000);

describe('Pod Security', () => {
  /** The pods of the workloads, as pods by themselves in the namespace that enforces `restricted`. */
  const podsOf = (manifests: readonly Manifest[]) =>
    manifests.flatMap(({ metadata: { name, labels }, spec }) => {
      if (!spec?.template) return [];
      const { serviceAccountName: _made, ...pod } = spec.template.spec;
      // What a StatefulSet would add.
      const volumes = Array.isArray(pod.volumes) ? pod.volumes : [];
      const isClaimed = !volumes.some((volume: { name: string }) => volume.name === 'state');
      const state = { name: 'state', emptyDir: {} };
      return [
        {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name, namespace: 'strict', labels },
          spec: { ...pod, volumes: isClaimed ? [...volumes, state] : volumes },
        },
      ];
    });
  const create = (pod: unknown) => cluster.try(['create', '--dry-run=server', '-f', '-'], [pod]);
  const refused = async (manifests: readonly Manifest[]) => {
    const answers = await Promise.all(
      podsOf(manifests).map(async (pod) => ({ name: pod.metadata.name, ...(await create(pod)) })),
    );
    return answers.flatMap(({ name, code, stderr }) => (code === 0 ? [] : [{ name, stderr }]));
  };

  test('is `restricted` for all where claims and a load balancer take the place of the node’s folders and ports', async () => {
    const manifests = await renderCase('all-there-is');
    expect(
      podsOf(manifests)
        .map(({ metadata: { name } }) => name)
        .sort(),
    ).toEqual(['weir-dns-server', 'weir-edge', 'weir-operator', 'weir-redis']);
    expect(await refused(manifests)).toEqual([]);
  }, 60_000);

  test('is not for pods with folders of the node, and they alone are refused', async () => {
    const names = (await refused(await renderCase('defaults'))).map(({ name, stderr }) => {
      expect(stderr).toContain('violates PodSecurity');
      return name;
    });
    expect(names.sort()).toEqual(['weir-dns-server', 'weir-edge']);
  }, 60_000);
});
