/**
 * A day with Weir, as the README tells it: the chart is installed, an edge runs in a pod and two on machines that joined,
 * and people use kubectl, dig and curl. The steps follow one another.
 */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLIENTS, curl, dig } from './client.ts';
import { NODE_ADDRESS } from './cluster-with-node.ts';
import { CHART, demo, NAME, NAMESPACE, soon, startWorld, VALUES, type World } from './world.ts';

const STEP = { timeout: 300_000 };

let world: World;
const kubectl = (args: string[], input?: unknown[]) => world.kubectl(args, input);

beforeAll(async () => {
  world = await startWorld();
}, 300_000);

afterAll(() => world.stop(), 60_000);

beforeEach(({ onTestFailed }) => onTestFailed(() => world.tellState()));

test('helm install, and helm test', STEP, async () => {
  await world.install(CHART, ...VALUES);
  expect(await world.helm('test', 'weir')).toContain('Succeeded');
});

test('kubectl apply: the domain is Ready, and the node with the edge pod is an edge', STEP, async () => {
  await kubectl(['apply', '-f', '-'], demo());
  await kubectl(['wait', '--for=condition=Ready', 'cdn/video', '-n', 'demo', '--timeout=120s']);
  await kubectl(['wait', '--for=condition=Ready', 'edge/zz-1', '--timeout=120s']);
  expect(await kubectl(['get', 'cdn', '-A'])).toContain(NAME);
  await soon(async () => expect(await dig(NAME, CLIENTS.zhengzhou)).toEqual([NODE_ADDRESS]));
});

test('two machines outside the cluster join by a token, and are edges', STEP, async () => {
  await world.joinMachines();
});

const EDGES = [NODE_ADDRESS, '10.1.0.2', '10.1.0.3'];

test('curl: a miss, then hits, and the origin is asked once by each edge', STEP, async () => {
  for (const address of EDGES) {
    const first = await curl(address, '/file.bin');
    expect(first).toMatchObject({ status: '200', body: '/file.bin\n' });
    expect(first.cacheStatus).toContain('fwd=uri-miss');
    expect((await curl(address, '/file.bin')).cacheStatus).toContain('hit');
  }
  expect(world.asked('/file.bin')).toBe(3);
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
  expect(world.asked('/file.bin')).toBe(6);
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
  await world.helm('uninstall', 'weir', '--wait', '--timeout', '120s');
  await kubectl(['delete', 'cdn', 'video', '-n', 'demo', '--timeout=20s']);
  await kubectl(['delete', 'edge', '--all', '--timeout=20s']);
});
