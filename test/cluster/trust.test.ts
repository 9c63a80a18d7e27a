/** Trust on a real Kubernetes API: the CA and join tokens in Secrets, tokens of pods, and a token of ours that rotates. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { type KubernetesApi, kubernetesApi } from '../../operator/kubernetes/api.ts';
import { loadCredentials } from '../../operator/kubernetes/credentials.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import { describeGuardedStore } from '../../operator/testing/guarded-store-suite.ts';
import { type StreamHost, startStreamHost } from '../../operator/testing/stream-host.ts';
import { askToJoin, testRequest, testTrust } from '../../operator/testing/trust.ts';
import { caState } from '../../operator/trust/ca.ts';
import { CertificateAuthority } from '../../operator/trust/certificate-authority.ts';
import { guardedSecret } from '../../operator/trust/guarded-secret.ts';
import { tokenReview } from '../../operator/trust/token-review.ts';
import { type Cluster, startCluster, TEST_LABELS } from './cluster.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'kubernetes');
const NAMESPACE = 'weir-system';
const SOON = { timeout: 60_000, interval: 100 };

let cluster: Cluster;
/** With the rights that the example gives the operator, and no others. */
let api: KubernetesApi;

beforeAll(async () => {
  cluster = await startCluster();
  const rbac = parseAllDocuments(await readFile(join(EXAMPLE, 'rbac.yaml'), 'utf8')).map((document) =>
    z.record(z.string(), z.unknown()).parse(document.toJS()),
  );
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], rbac);
  const account = (name: string) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: NAMESPACE },
  });
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'zz-1', labels: TEST_LABELS } };
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    [node, account('weir-edge'), account('weir-dns-server'), account('stranger')],
  );
  const kubeconfig = await cluster.kubeconfigOf('weir-operator', NAMESPACE);
  api = kubernetesApi((await loadCredentials(kubeconfig)).credentials);
}, 900_000);
afterAll(async () => {
  await api.close();
  await cluster.stop();
});

/** A pod as the scheduler leaves it: nothing runs, and its tokens are real. */
async function createPod(name: string, serviceAccountName: string): Promise<void> {
  const containers = [{ name: 'weir', image: 'weir' }];
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE },
    spec: { serviceAccountName, nodeName: 'zz-1', containers },
  };
  await cluster.kubectl(['create', '-f', '-'], [pod]);
}

const removePod = (name: string) =>
  cluster.kubectl(['delete', 'pod', name, '-n', NAMESPACE, '--grace-period=0', '--force']);

/** As the kubelet projects it into a pod; without a pod, as anybody makes one who may. */
async function tokenOf(account: string, pod?: string, audience?: string): Promise<string> {
  const uid =
    pod && (await cluster.kubectl(['get', 'pod', pod, '-n', NAMESPACE, '-o', 'jsonpath={.metadata.uid}']));
  const bound = pod
    ? ['--bound-object-kind=Pod', `--bound-object-name=${pod}`, `--bound-object-uid=${uid}`]
    : [];
  const flags = [...bound, ...(audience ? [`--audience=${audience}`] : [])];
  return (
    await cluster.kubectl(['create', 'token', account, '-n', NAMESPACE, '--duration=10m', ...flags])
  ).trim();
}

describe('the guarded value', () => {
  const open = () =>
    guardedSecret({ api, namespace: NAMESPACE, name: 'weir-join-tokens' }, z.array(z.string()));
  afterEach(() =>
    cluster.kubectl([
      'delete',
      'secret',
      '-n',
      NAMESPACE,
      'weir-join-tokens',
      'weir-ca',
      '--ignore-not-found',
    ]),
  );

  describeGuardedStore('of a Secret', open);

  test('is not replaced where it does not read', async () => {
    await cluster.kubectl([
      'create',
      'secret',
      'generic',
      'weir-join-tokens',
      '-n',
      NAMESPACE,
      '--from-literal=x=y',
    ]);
    await expect(open().read()).rejects.toThrow('is not what Weir wrote');
  });

  test('makes one CA of two replicas that start at once, and follows who rotates it', async () => {
    const store = () => guardedSecret({ api, namespace: NAMESPACE, name: 'weir-ca' }, caState);
    const options = { leads: () => false, clock: systemClock, log: silentLog };
    const replicas = await Promise.all(
      [1, 2, 3].map(() => CertificateAuthority.open({ ...options, store: store() })),
    );
    const [first, ...others] = replicas.map((replica) => replica.bundle().pem);
    expect(others).toEqual([first, first]);
    // A Secret that somebody deleted comes back: agents trust what the replicas hold.
    await cluster.kubectl(['delete', 'secret', '-n', NAMESPACE, 'weir-ca']);
    await Promise.all(replicas.map((replica) => replica.look()));
    expect((await store().read()).value?.signing.certificate).toBe(first);
    expect(new Set(replicas.map((replica) => replica.bundle().pem))).toEqual(new Set([first]));
    for (const replica of replicas) await replica.stop();
  });
});

describe('a pod joins with its projected token', () => {
  let host: StreamHost;
  beforeAll(async () => {
    host = await startStreamHost({
      trust: await testTrust({ nodes: ['zz-1', 'bj-1'], review: tokenReview(api) }),
    });
    await createPod('edge-x7', 'weir-edge');
    await createPod('dns-0', 'weir-dns-server');
    await createPod('stranger-1', 'stranger');
  }, 60_000);
  afterAll(() => host.stop());

  const joinAs = async (token: string, role: 'edge' | 'dns-server', node: string) =>
    askToJoin({ ...host, token }, { role, node }, (await testRequest()).csr);

  test('as the edge of its node, or as the dns-server of its name', async () => {
    const edge = await joinAs(await tokenOf('weir-edge', 'edge-x7', 'weir'), 'edge', 'zz-1');
    expect(edge.issued).toMatchObject({ role: 'edge', node: 'zz-1' });
    const dns = await joinAs(await tokenOf('weir-dns-server', 'dns-0', 'weir'), 'dns-server', 'dns-0');
    expect(dns.issued).toMatchObject({ role: 'dns-server', node: 'dns-0' });
  });

  test.each([
    ['for another node', 'weir-edge', 'edge-x7', 'weir', 'edge', 'bj-1', 'WrongNode'],
    ['for another pod', 'weir-dns-server', 'dns-0', 'weir', 'dns-server', 'dns-1', 'WrongNode'],
    ['as another role', 'weir-edge', 'edge-x7', 'weir', 'dns-server', 'edge-x7', 'WrongServiceAccount'],
    ['of another ServiceAccount', 'stranger', 'stranger-1', 'weir', 'edge', 'zz-1', 'WrongServiceAccount'],
    ['that is bound to no pod', 'weir-edge', undefined, 'weir', 'edge', 'zz-1', 'WrongServiceAccount'],
    ['made for the API server', 'weir-edge', 'edge-x7', undefined, 'edge', 'zz-1', 'WrongAudience'],
    ['made for others', 'weir-edge', 'edge-x7', 'vault', 'edge', 'zz-1', 'WrongAudience'],
  ] as const)('and not with one %s', async (_what, account, pod, audience, role, node, reason) => {
    expect(await joinAs(await tokenOf(account, pod, audience), role, node)).toMatchObject({
      reason,
      issued: undefined,
    });
  });

  test('and not with one that somebody changed, or whose pod is gone', async () => {
    await createPod('edge-gone', 'weir-edge');
    const token = await tokenOf('weir-edge', 'edge-gone', 'weir');
    const [head, payload = '', signature] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    claims['kubernetes.io'].node = { name: 'bj-1', uid: 'x' };
    const forged = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
    expect(await joinAs(forged, 'edge', 'bj-1')).toMatchObject({ reason: 'BadToken' });
    await removePod('edge-gone');
    expect(await joinAs(token, 'edge', 'zz-1')).toMatchObject({ reason: 'BadToken' });
  });

  test('and is told to come again while the API server is away', async (context) => {
    const { plane } = cluster;
    if (!plane) return context.skip('not in a borrowed cluster: it kills the API server');
    const token = await tokenOf('weir-edge', 'edge-x7', 'weir');
    await plane.killApiServer();
    expect(await joinAs(token, 'edge', 'zz-1')).toMatchObject({ status: 503, issued: undefined });
    await plane.startApiServer();
    await vi.waitFor(async () => expect((await joinAs(token, 'edge', 'zz-1')).status).toBe(200), SOON);
  }, 120_000);
});

describe('the operator’s own token', () => {
  let operator: Operator | undefined;
  afterEach(async () => {
    vi.useRealTimers();
    await operator?.stop();
  });

  test('rotates under it, and nothing is lost when the old one ends', async () => {
    for (const pod of ['operator-1', 'operator-2']) await createPod(pod, 'weir-operator');
    const [older, newer] = [
      await tokenOf('weir-operator', 'operator-1'),
      await tokenOf('weir-operator', 'operator-2'),
    ];
    const { kubeconfig, tokenFile, ca, server } = await projected(older);
    operator = await startOperator({
      config: join(EXAMPLE, 'settings', 'weir.yaml'),
      kubeconfig,
      state: join(tokenFile, '..', 'state'),
      listen: { host: '127.0.0.1', port: 0 },
      log: silentLog,
    });
    await accepted('first');

    // As the kubelet does it. A library that remembers tokens does so for a minute: it passes.
    await writeFile(`${tokenFile}.new`, newer);
    await rename(`${tokenFile}.new`, tokenFile);
    vi.setSystemTime(Date.now() + 61_000);
    await removePod('operator-1');
    const dispatcher = new Agent({ connect: { ca } });
    await vi.waitFor(async () => {
      const headers = { authorization: `Bearer ${older}` };
      const { statusCode, body } = await request(`${server}/api`, { dispatcher, headers });
      await body.dump();
      expect(statusCode).toBe(401);
    }, SOON);
    await dispatcher.destroy();
    await accepted('second');
  }, 180_000);

  /** A kubeconfig that names the file of the token, as in a pod. */
  async function projected(token: string) {
    const config = JSON.parse(
      await cluster.kubectl(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']),
    );
    const path = await cluster.kubeconfigOf('weir-operator', NAMESPACE);
    const tokenFile = `${path}.token`;
    await writeFile(tokenFile, token);
    const [context] = config.contexts;
    const users = [{ name: 'pod', user: { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } } }];
    const contexts = [{ ...context, context: { ...context.context, user: 'pod', namespace: NAMESPACE } }];
    await writeFile(path, JSON.stringify({ ...config, users, contexts }));
    const { server, 'certificate-authority-data': data } = config.clusters[0].cluster;
    return { kubeconfig: path, tokenFile, server, ca: Buffer.from(data, 'base64').toString() };
  }

  /** A CdnDomain is applied, and the operator says what it thinks of it. */
  async function accepted(name: string): Promise<void> {
    const origins = [{ name: 'main', url: 'http://127.0.0.1:1' }];
    const domain = {
      apiVersion: 'cdn.weir.dev/v1alpha1',
      kind: 'CdnDomain',
      metadata: { name, namespace: NAMESPACE },
      spec: { hostname: `${name}.example.com`, origins },
    };
    await cluster.kubectl(['create', '-f', '-'], [domain]);
    await cluster.kubectl([
      'wait',
      `cdn/${name}`,
      '-n',
      NAMESPACE,
      '--for=condition=Accepted',
      '--timeout=60s',
    ]);
  }
});
