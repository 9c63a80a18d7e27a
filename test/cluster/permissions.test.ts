/**
 * The rights that the chart gives the operator against those that it uses, by the audit log of the API server: none is
 * missing, none is too many; in all namespaces, and in those of `watchNamespaces` alone. (test/helm holds the rights of
 * examples/kubernetes to the chart's.)
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { TOKENS_PATH } from '../../contract/stream/join.ts';
import { testCa } from '../../operator/testing/certificates.ts';
import { placeOf, unknownTo } from '../../operator/testing/trust.ts';
import { grantedRights, type Manifest, operatorRights, own, render } from '../helm/helm.ts';
import { cdnDomain, Program, prepareSystem, purgeJob, type System } from '../system/programs.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type EdgePods, edgePods } from './edge-pods.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'kubernetes');
const OPERATOR = 'system:serviceaccount:weir-system:weir-operator';
const SOON = { timeout: 60_000, interval: 200 };

const auditEvent = z.object({
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z
    .object({
      apiGroup: z.string().default(''),
      resource: z.string(),
      subresource: z.string().optional(),
      name: z.string().optional(),
    })
    .optional(),
  responseStatus: z.object({ code: z.int() }).optional(),
});

let cluster: Cluster;
let system: System;
let pods: EdgePods;

/** Of this run: what the chart makes. */
let rights: Manifest[];

async function asked() {
  const lines = (await cluster.plane?.auditLog()) ?? [];
  return lines
    .map((line) => auditEvent.parse(JSON.parse(line)))
    .filter(({ user, objectRef }) => user.username === OPERATOR && objectRef !== undefined)
    .flatMap(({ verb, objectRef, responseStatus }) => {
      const { apiGroup = '', resource = '', subresource, name } = objectRef ?? {};
      const what = `${apiGroup}/${resource}${subresource ? `/${subresource}` : ''}`;
      const code = responseStatus?.code ?? 0;
      // An apply that makes the object needs both rights.
      const verbs = verb === 'patch' && code === 201 ? ['patch', 'create'] : [verb];
      return verbs.map((one) => ({ right: `${one} ${what}`, name, code }));
    });
}

const namespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

async function prepare(watched: readonly string[]): Promise<void> {
  cluster = await startCluster();
  if (!cluster.plane) return;
  const rendered = own(await render('--set-json', `watchNamespaces=${JSON.stringify(watched)}`));
  rights = operatorRights(rendered);
  const accounts = rendered.filter(({ kind }) => kind === 'ServiceAccount');
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    [namespace('weir-system'), namespace('demo'), ...rights, ...accounts],
  );
  const kubeconfig = await cluster.kubeconfigOf('weir-operator', 'weir-system');
  const [only] = watched;
  system = await prepareSystem({
    source: (folder) => ({
      source: 'kubernetes',
      kubeconfig,
      config: join(folder, 'weir.yaml'),
      ...(only !== undefined && { 'watch-namespace': only }),
    }),
  });
  pods = edgePods(cluster, { port: system.ports.http, serviceAccountName: 'weir-edge' });
  const settings = parse(readFileSync(join(EXAMPLE, 'settings', 'weir.yaml'), 'utf8'));
  const zones = settings.zones.map((zone: object) => ({ ...zone, dnssec: true }));
  const registration = { regions: { 'cn-north-1': 'cn-north' } };
  await writeFile(join(system.folder, 'weir.yaml'), stringify({ ...settings, zones, registration }));
  system.startOperator();
  system.startDns();
}

afterEach(async () => {
  await system?.stop();
  await cluster.stop();
});

/** By its pod's token, as a DaemonSet gives it one. */
async function startEdgeOfPod(node: string): Promise<void> {
  const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', `edge-${node}`];
  const token = await cluster.kubectl([
    'create',
    'token',
    'weir-edge',
    '-n',
    'weir-system',
    '--audience',
    'weir',
    ...bound,
  ]);
  const file = join(system.folder, 'pod-token');
  await writeFile(file, token.trim(), { mode: 0o600 });
  const { ports, state } = system;
  const flags = {
    node,
    operator: `https://127.0.0.1:${ports.operator}`,
    'service-account-token-file': file,
    'operator-ca': state.bundle,
    state: state.edge(node),
    listen: `127.0.1.1:${ports.http}`,
    admin: `127.0.1.1:${ports.edgeAdmin}`,
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  system.programs.set(node, new Program('edge/main.ts', args));
}

/** The second one is written beside the first. */
async function makeJoinTokens(): Promise<void> {
  const { url, ca, token } = await placeOf(system.state, { host: '127.0.0.1', port: system.ports.operator });
  const dispatcher = unknownTo({ ca });
  for (const node of ['dns-2', 'dns-3']) {
    const { statusCode, body } = await request(`${url}${TOKENS_PATH}`, {
      method: 'POST',
      dispatcher,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ role: 'dns-server', node, lifetime: 60_000 }),
    });
    expect([statusCode, await body.text()]).toEqual([expect.any(Number), expect.stringContaining('token')]);
  }
  await dispatcher.close();
}

const wait = (what: string, condition: string) =>
  cluster.kubectl(['wait', '-n', 'demo', `--for=${condition}`, '--timeout=60s', what]);

/** A Certificate that is given, replaced, and taken away. */
async function certified(): Promise<void> {
  const ca = await testCa();
  const given = async () => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: 'video-tls', namespace: 'demo' },
    stringData: await ca.issue({ names: ['video.example.com'], notAfter: '2036-01-01T00:00:00Z' }),
  });
  const spec = { hostnames: ['video.example.com'], secretRef: { name: 'video-tls' } };
  const certificate = {
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'Certificate',
    metadata: { name: 'video', namespace: 'demo' },
    spec,
  };
  const apply = (...objects: object[]) =>
    cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], objects);
  await apply(await given(), certificate, ...grantOf('video-tls'));
  await wait('cdncert/video', 'condition=Ready');
  const digest = () =>
    cluster.kubectl(['get', 'cdncert', 'video', '-n', 'demo', '-o', 'jsonpath={.status.digest}']);
  const before = await digest();
  await apply(await given());
  await vi.waitFor(async () => expect(await digest()).not.toBe(before), SOON);
  const kept = () =>
    cluster.kubectl(['get', 'secret', '-n', 'weir-system', '-l', 'cdn.weir.dev/vault', '-o', 'name']);
  await vi.waitFor(async () => expect(await kept()).not.toBe(''), SOON);
  await cluster.kubectl(['delete', 'cdncert', 'video', '-n', 'demo']);
  await vi.waitFor(async () => expect(await kept()).toBe(''), SOON);
}

/** What a tenant gives: the right on one Secret. */
function grantOf(secret: string): object[] {
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name: 'weir-certificates', namespace: 'demo' };
  const rules = [
    { apiGroups: [''], resources: ['secrets'], resourceNames: [secret], verbs: ['list', 'watch'] },
  ];
  const subjects = [{ kind: 'ServiceAccount', name: 'weir-operator', namespace: 'weir-system' }];
  const roleRef = { apiGroup: rbac, kind: 'Role', name: 'weir-certificates' };
  return [
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules },
    { apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects },
  ];
}

/** All that the operator does with the API, once. */
async function live(): Promise<void> {
  await pods.addNode('zz-1', '127.0.1.1');
  await pods.setReady('edge-zz-1');
  await vi.waitFor(() => cluster.kubectl(['get', 'edge', 'zz-1']), SOON);
  await startEdgeOfPod('zz-1');
  await wait('edge/zz-1', 'condition=Connected');
  await makeJoinTokens();
  const domain = (aliases: string[]) => cdnDomain('video', 'video.example.com', 9, { aliases });
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], [domain([])]);
  await wait('cdn/video', 'condition=Programmed');
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], [domain(['v.example.com'])]);
  await wait('cdn/video', 'jsonpath={.status.observedGeneration}=2');
  await certified();
  const job = purgeJob('once', { everything: true, ttlSecondsAfterFinished: 1 });
  await cluster.kubectl(['create', '-f', '-'], [job]);
  await wait('purge/once', 'delete');
  await pods.end('edge-zz-1');
  await vi.waitFor(async () => {
    const annotations = await cluster.kubectl([
      'get',
      'edge',
      'zz-1',
      '-o',
      'jsonpath={.metadata.annotations}',
    ]);
    expect(annotations).toContain('leaving-since');
  }, SOON);
  const long = { metadata: { annotations: { 'cdn.weir.dev/leaving-since': '2026-01-01T00:00:00Z' } } };
  await cluster.kubectl(['patch', 'edge', 'zz-1', '--type=merge', '-p', JSON.stringify(long)]);
  await wait('edge/zz-1', 'delete');
  expect(await system.programs.get('operator')?.stop()).toBe(0);
}

describe.each([
  { where: 'in all namespaces', watched: [] },
  { where: 'in one namespace', watched: ['demo'] },
])('$where', ({ watched }) => {
  beforeEach(() => prepare(watched), 900_000);

  test('no right is missing, and none is unused', async (context) => {
    if (!cluster.plane)
      return context.skip('not in a borrowed cluster: it reads the audit log of an API server');
    try {
      await live();
    } catch (error) {
      throw new Error(system.programs.get('operator')?.log.slice(-4_000) ?? '', { cause: error });
    }
    const requests = await asked();
    expect(requests.filter(({ code }) => code === 403)).toEqual([]);
    const used = new Set(requests.flatMap(({ right, name }) => [right, `${right} ${name}`]));
    expect(grantedRights(rights).filter((right) => !used.has(right))).toEqual([]);
  }, 300_000);
});
