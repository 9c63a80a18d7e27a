/**
 * A day with Weir, as the README tells it: the chart is installed, an edge runs in a pod and two on machines that joined,
 * and people use kubectl, dig and curl. The steps follow one another.
 */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { eventually } from '../../lib/testing/eventually.ts';
import { helmBinary } from '../cluster/binaries.ts';
import { CLIENTS, curl, dig } from './client.ts';
import { type ClusterWithNode, NODE_ADDRESS, startClusterWithNode } from './cluster-with-node.ts';
import { giveLoadBalancer } from './load-balancer.ts';
import { Machine } from './machine.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CHART = join(ROOT, 'helm', 'weir');
const NAMESPACE = 'weir-system';
const OPERATOR = 'https://10.1.0.54:8700';
const NAME = 'video.demo.cdn.example.net';
/** Pods start within this even on a machine that does other things. */
const PATIENCE_MS = 120_000;
const STEP = { timeout: 300_000 };

let world: ClusterWithNode;
let origin: Server;
const asked = new Map<string, number>();
const machines = new Map<string, Machine>();

const kubectl = (args: string[], input?: unknown[]) => world.cluster.kubectl(args, input);
const soon = <T>(check: () => T | Promise<T>) => eventually(check, PATIENCE_MS);

async function helm(...args: string[]): Promise<string> {
  const flags = ['--kubeconfig', world.cluster.kubeconfig, '-n', NAMESPACE];
  const home = join(process.env.WEIR_E2E_FOLDER ?? '', 'helm');
  const env = { ...process.env, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
  const { stdout } = await promisify(execFile)(await helmBinary(), [...args, ...flags], { env });
  return stdout;
}

/** The example's CdnDomain, with an origin on the LAN. */
function demo(): unknown[] {
  const text = readFileSync(join(ROOT, 'examples', 'kubernetes', 'demo.yaml'), 'utf8')
    .replace('http://127.0.0.1:8800', 'http://10.1.0.254:8800')
    .replace('ttl: 30s', 'ttl: 5s');
  return parseAllDocuments(text).map((document) => document.toJS());
}

const edgeNode = (name: string, address: string, region: string) => ({
  apiVersion: 'cdn.weir.dev/v1alpha1',
  kind: 'EdgeNode',
  metadata: { name },
  spec: {
    addresses: [address],
    ports: { http: 80 },
    region,
    healthCheck: { interval: '1s', timeout: '1s', failureThreshold: 3, successThreshold: 2 },
  },
});

beforeAll(async () => {
  origin = createServer((request, response) => {
    const path = request.url ?? '';
    asked.set(path, (asked.get(path) ?? 0) + 1);
    response.writeHead(200, { 'cache-control': 'max-age=3600' }).end(`${path}\n`);
  });
  await new Promise<void>((resolve) => void origin.listen(8800, '10.1.0.254', resolve));
  world = await startClusterWithNode();
}, 300_000);

afterAll(async () => {
  await Promise.all([...machines.values()].map((machine) => machine.stopEdge()));
  origin.closeAllConnections();
  origin.close();
  await world.stop();
}, 60_000);

/** What a person would look at next. */
async function tellState(): Promise<void> {
  const looks = [
    ['get', 'pods,cdn,edge,purge', '-A', '-o', 'wide'],
    ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
    ...['operator', 'dns-server', 'edge'].map((name) =>
      `logs -n ${NAMESPACE} --tail=40 --all-containers --prefix -l app.kubernetes.io/component=${name}`.split(
        ' ',
      ),
    ),
  ];
  for (const look of looks) {
    const { stdout, stderr } = await world.cluster.try(look);
    console.log(`kubectl ${look.join(' ')}\n${stdout}${stderr}`);
  }
}

beforeEach(({ onTestFailed }) => onTestFailed(tellState));

test('helm install, and helm test', STEP, async () => {
  await soon(async () => expect(await kubectl(['get', 'nodes'])).toContain(' Ready'));
  const labels = ['weir.dev/edge=true', 'topology.kubernetes.io/region=zhengzhou'];
  await kubectl(['label', 'node', 'zz-1', ...labels]);
  await kubectl(['create', 'namespace', NAMESPACE]);
  await kubectl(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=privileged']);
  // The node's folders are this machine's: they go with the test.
  const states = ['dnsServer', 'edge'].flatMap((name) => [
    '--set',
    `${name}.state.hostPath=${join(process.env.WEIR_E2E_FOLDER ?? '', `state-${name}`)}`,
  ]);
  await helm('install', 'weir', CHART, '-f', join(import.meta.dirname, 'values.yaml'), ...states);
  for (const name of ['operator', 'dns-server'])
    await giveLoadBalancer(world.cluster, NAMESPACE, `weir-${name}`);
  const rollouts = ['deployment/weir-operator', 'deployment/weir-dns-server', 'daemonset/weir-edge'];
  for (const rollout of rollouts) {
    await kubectl(['rollout', 'status', rollout, '-n', NAMESPACE, '--timeout=120s']);
  }
  expect(await helm('test', 'weir')).toContain('Succeeded');
});

test('kubectl apply: the domain is Ready, and the node with the edge pod is an edge', STEP, async () => {
  await kubectl(['apply', '-f', '-'], demo());
  await kubectl(['wait', '--for=condition=Ready', 'cdn/video', '-n', 'demo', '--timeout=120s']);
  await kubectl(['wait', '--for=condition=Ready', 'edge/zz-1', '--timeout=120s']);
  expect(await kubectl(['get', 'cdn', '-A'])).toContain(NAME);
  await soon(async () => expect(await dig(NAME, CLIENTS.zhengzhou)).toEqual([NODE_ADDRESS]));
});

test('two machines outside the cluster join by a token, and are edges', STEP, async () => {
  const edges = [
    { node: 'bj-1', name: 'bj', address: '10.1.0.2', region: 'cn-north' },
    { node: 'la-1', name: 'la', address: '10.1.0.3', region: 'us-west' },
  ];
  for (const { node, name, address, region } of edges) {
    await kubectl(['apply', '-f', '-'], [edgeNode(node, address, region)]);
    const machine = new Machine({ name, address, folder: process.env.WEIR_E2E_FOLDER ?? '' });
    machines.set(node, machine);
    const token = await soon(() => joinToken(node));
    expect(await machine.join(OPERATOR, token)).toContain(`This machine is edge ${node}`);
    await expect(machine.join(OPERATOR, token)).rejects.toThrow(/has joined/);
    machine.startEdge(node, OPERATOR);
  }
  for (const { node, address } of edges) {
    await kubectl(['wait', '--for=condition=Ready', `edge/${node}`, '--timeout=120s']);
    const client = node === 'bj-1' ? CLIENTS.beijing : CLIENTS.california;
    await soon(async () => expect(await dig(NAME, client)).toEqual([address]));
  }
});

/** As a person gets one: in a pod of the operator. */
async function joinToken(node: string): Promise<string> {
  const weir = ['bin/weir', 'token', 'create', '--role', 'edge', '--node', node, '--state', '/var/lib/weir'];
  const exec = ['exec', '-n', NAMESPACE, 'deployment/weir-operator', '--', 'node', ...weir];
  return (await kubectl(exec)).trim();
}

const EDGES = [NODE_ADDRESS, '10.1.0.2', '10.1.0.3'];

test('curl: a miss, then hits, and the origin is asked once by each edge', STEP, async () => {
  for (const address of EDGES) {
    const first = await curl(address, '/file.bin');
    expect(first).toMatchObject({ status: '200', body: '/file.bin\n' });
    expect(first.cacheStatus).toContain('fwd=uri-miss');
    expect((await curl(address, '/file.bin')).cacheStatus).toContain('hit');
  }
  expect(asked.get('/file.bin')).toBe(3);
});

test('a PurgeJob is created and waited for: the next request goes to the origin', STEP, async () => {
  const job = {
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'PurgeJob',
    metadata: { generateName: 'release-', namespace: 'demo' },
    spec: { domainRef: { name: 'video' }, urls: ['http://video.example.com/file.bin'] },
  };
  const name = (await kubectl(['create', '-o', 'name', '-f', '-'], [job])).trim();
  await kubectl(['wait', '--for=condition=Complete', name, '-n', 'demo', '--timeout=60s']);
  for (const address of EDGES) {
    expect((await curl(address, '/file.bin')).cacheStatus).not.toContain('; hit');
  }
  expect(asked.get('/file.bin')).toBe(6);
});

test('a rule is patched, and in force at the edges', STEP, async () => {
  const rules = { spec: { cache: { rules: [{ match: { pathPrefix: '/live/' }, bypass: true }] } } };
  await kubectl(['patch', 'cdn', 'video', '-n', 'demo', '--type=merge', '-p', JSON.stringify(rules)]);
  for (const address of EDGES) {
    await soon(async () => expect((await curl(address, '/live/now')).cacheStatus).toContain('fwd=bypass'));
  }
});

test('a domain with a mistake is refused with path and reason, and nothing else changes', STEP, async () => {
  const bad = {
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'CdnDomain',
    metadata: { name: 'bad', namespace: 'demo' },
    spec: { hostname: 'bad.example.com', origins: [{ name: 'main', url: 'ftp://example.com' }] },
  };
  const { code, stderr } = await world.cluster.try(['apply', '-f', '-'], [bad]);
  expect(code).not.toBe(0);
  expect(stderr).toContain('spec.origins[0].url');
  // What only the operator can see: the hostname belongs to the other domain.
  const taken = {
    ...bad,
    spec: { hostname: 'video.example.com', origins: [{ name: 'main', url: 'http://10.1.0.9' }] },
  };
  await kubectl(['apply', '-f', '-'], [taken]);
  await kubectl(['wait', '--for=condition=Accepted=false', 'cdn/bad', '-n', 'demo', '--timeout=60s']);
  expect(await dig(NAME, CLIENTS.zhengzhou)).toEqual([NODE_ADDRESS]);
  expect((await curl(NODE_ADDRESS, '/file.bin')).status).toBe('200');
  await kubectl(['delete', 'cdn', 'bad', '-n', 'demo']);
});

test('an edge pod is deleted: DNS avoids it before it stops, and takes it back', STEP, async () => {
  const deleting = kubectl(['delete', 'pod', '-n', NAMESPACE, '-l', 'app.kubernetes.io/component=edge']);
  await soon(async () => expect(await dig(NAME, CLIENTS.zhengzhou)).not.toContain(NODE_ADDRESS));
  // Resolvers may still have its address.
  expect((await curl(NODE_ADDRESS, '/file.bin')).status).toBe('200');
  await deleting;
  await soon(async () => expect(await dig(NAME, CLIENTS.zhengzhou)).toEqual([NODE_ADDRESS]));
  expect((await curl(NODE_ADDRESS, '/file.bin')).cacheStatus).toContain('hit');
});

test('with no operator everything serves, also a pod that starts anew', STEP, async () => {
  const scale = (replicas: number) =>
    kubectl(['scale', 'deployment/weir-operator', '-n', NAMESPACE, `--replicas=${replicas}`]);
  await scale(0);
  const gone = ['wait', '--for=delete', 'pod', '-n', NAMESPACE, '-l', 'app.kubernetes.io/component=operator'];
  await kubectl([...gone, '--timeout=120s']);
  const agents = 'app.kubernetes.io/component in (dns-server, edge)';
  await kubectl(['delete', 'pod', '-n', NAMESPACE, '-l', agents]);
  await soon(async () => expect(await dig(NAME, CLIENTS.beijing)).toEqual(['10.1.0.2']));
  await soon(async () => expect((await curl(NODE_ADDRESS, '/file.bin')).cacheStatus).toContain('hit'));
  await soon(async () => expect(await dig(NAME, CLIENTS.zhengzhou)).toEqual([NODE_ADDRESS]));
  await scale(2);
  await kubectl(['rollout', 'status', 'deployment/weir-operator', '-n', NAMESPACE, '--timeout=120s']);
});

test('applied twice: nothing changes, and nothing is seen to differ', STEP, async () => {
  const version = ['get', 'cdn', 'video', '-n', 'demo', '-o', 'jsonpath={.metadata.generation}'];
  await kubectl(['apply', '-f', '-'], demo());
  const before = await kubectl(version);
  await kubectl(['apply', '-f', '-'], demo());
  expect(await kubectl(version)).toBe(before);
  expect(await world.cluster.try(['diff', '-f', '-'], demo())).toMatchObject({ code: 0, stdout: '' });
});

test('helm uninstall leaves nothing that hangs', STEP, async () => {
  await helm('uninstall', 'weir', '--wait', '--timeout', '120s');
  await kubectl(['delete', 'cdn', 'video', '-n', 'demo', '--timeout=20s']);
  await kubectl(['delete', 'edge', '--all', '--timeout=20s']);
});
