/**
 * A day with Weir, as the README tells it: the chart is installed, an edge runs in a pod and two on machines that joined,
 * and people use kubectl, dig and curl. The steps follow one another.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { CLIENTS, curl, dig } from './client.ts';
import { NODE_ADDRESS } from './cluster-with-node.ts';
import { readerShell, readmeCommands } from './readme.ts';
import { CHART, demo, NAME, NAMESPACE, soon, startWorld, VALUES, type World } from './world.ts';

const STEP = { timeout: 300_000 };

/** After the last change, statuses are written for so long at most. */
const QUIET_MS = 10_000;
/** For how long not one write may be seen then. */
const WATCH_MS = Number(process.env.WEIR_E2E_WATCH_SECONDS ?? 30) * 1_000;

let world: World;
const kubectl = (args: string[], input?: unknown[]) => world.kubectl(args, input);

beforeAll(async () => {
  world = await startWorld();
}, 300_000);

afterAll(() => world.stop(), 60_000);

beforeEach(({ onTestFailed }) => onTestFailed(() => world.tellState()));

const blocks = readmeCommands('zz-1');
let shell: (block: string) => Promise<string>;

test('the README’s commands: install, test', STEP, async () => {
  shell = await readerShell(world.cluster.kubeconfig);
  await world.nodeIsReady();
  const [, said] = await Promise.all([world.giveAddresses(), shell(blocks[0] ?? '')]);
  expect(said).toMatch(/Phase: +Succeeded/);
});

test('the README’s commands: a domain is Ready, and served by the node with the edge pod', STEP, async () => {
  const said = await shell(blocks[1] ?? '');
  expect(said).toContain(NAME);
  expect(said.match(/^HTTP\/1.1 \d+/gm)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
  expect(said).toMatch(/cache-status: .*fwd=uri-miss.*cache-status: .*hit/is);
  expect(await dig(NAME, CLIENTS.zhengzhou)).toEqual([NODE_ADDRESS]);
});

test('the README’s commands: a purge that is complete, and a change that is in force', STEP, async () => {
  await shell(blocks[2] ?? '');
  expect(blocks).toHaveLength(3);
  await kubectl(['apply', '-f', '-'], demo());
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

test('with everything quiet nothing is written, and the chart applied again changes nothing', {
  timeout: STEP.timeout + WATCH_MS,
}, async () => {
  await world.helm('upgrade', 'weir', CHART, ...VALUES);
  await soon(quietFor(QUIET_MS));
  const before = await quietFor(WATCH_MS)();
  await world.helm('upgrade', 'weir', CHART, ...VALUES);
  await kubectl(['apply', '-f', '-'], demo());
  expect(await versions('generation')).toEqual(before.generations);
  expect((await writesOfWeir()).slice(before.writes.length)).toEqual([]);
});

/** A look that ends well when not one object of Weir's kinds, or of the release, was written during `ms`. */
function quietFor(ms: number) {
  return async () => {
    const before = await versions('resourceVersion');
    const writes = await writesOfWeir();
    await pause(ms);
    expect(await versions('resourceVersion')).toEqual(before);
    expect(await writesOfWeir()).toEqual(writes);
    return { writes, generations: await versions('generation') };
  };
}

/** Of every object that a person or the chart made, and of what the operator keeps beside them. */
async function versions(what: 'generation' | 'resourceVersion'): Promise<string[]> {
  const kinds = 'weir,deployments,daemonsets,services,configmaps,secrets,controllerrevisions,networkpolicies';
  const columns = `custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name,IS:.metadata.${what}`;
  const rows = (await kubectl(['get', kinds, '-A', '--no-headers', '-o', columns])).trim().split('\n');
  // Each upgrade is a Secret of Helm's.
  return rows.filter((row) => !row.includes('sh.helm.release'));
}

/** What the operator asked the API server to change, but for its Lease. */
async function writesOfWeir(): Promise<string[]> {
  const lines = (await world.cluster.plane?.auditLog()) ?? [];
  return lines
    .map((line) => AUDITED.parse(JSON.parse(line)))
    .filter(({ verb, objectRef }) => !READS.includes(verb) && objectRef?.resource !== 'leases')
    .filter(({ objectRef }) => objectRef?.resource !== 'tokenreviews')
    .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
}

const READS = ['get', 'list', 'watch'];
const AUDITED = z.object({
  verb: z.string(),
  requestURI: z.string(),
  objectRef: z.object({ resource: z.string() }).optional(),
});

test('edges of another cluster join with a token of theirs, from pods on other ports', STEP, async () => {
  // Here it is the same node, which is an edge of one release at a time: its own has none, and its EdgeNode is made by hand.
  await world.helm('upgrade', 'weir', CHART, ...VALUES, '--set', 'edge.enabled=false');
  await world.rolledOut('deployment/weir-operator');
  await kubectl(['delete', 'edge', 'zz-1', '--timeout=20s']);
  await world.joinCluster({ namespace: 'weir-edge', node: 'zz-1', port: 8080 });
  await kubectl(['wait', '--for=condition=Ready', 'edge/zz-1', '--timeout=120s']);
  await soon(async () => expect(await dig(NAME, CLIENTS.zhengzhou)).toEqual([NODE_ADDRESS]));
  expect(await curl(NODE_ADDRESS, '/file.bin', 8080)).toMatchObject({ status: '200', body: '/file.bin\n' });
  const rights = await world.cluster.try([
    'auth',
    'can-i',
    '--list',
    '--as=system:serviceaccount:weir-edge:weir-edge',
  ]);
  expect(rights.stdout).not.toMatch(/cdn\.weir\.dev|secrets/);
});

test(
  'after helm uninstall resources are there still, deletions do not hang, and all of it can go',
  STEP,
  async () => {
    await world.helm('uninstall', 'weir-edge', '-n', 'weir-edge', '--wait', '--timeout', '120s');
    await world.helm('uninstall', 'weir', '--wait', '--timeout', '120s');
    expect(await kubectl(['get', 'cdn', '-A'])).toContain(NAME);
    expect(await kubectl(['get', 'secrets', '-n', NAMESPACE, '-o', 'name'])).toContain('secret/weir-ca\n');
    await kubectl(['delete', 'cdn', 'video', '-n', 'demo', '--timeout=20s']);
    await kubectl(['delete', 'edge', '--all', '--timeout=20s']);
    // As the chart's README says.
    const readme = readFileSync(join(CHART, 'README.md'), 'utf8');
    const removals = [...readme.matchAll(/^kubectl (delete (?:crd|namespace) .*)$/gm)].map(
      ([, args = '']) => args,
    );
    expect(removals).toHaveLength(2);
    for (const args of removals) await kubectl([...args.split(' '), '--timeout=60s']);
    expect(await kubectl(['get', 'crd', '-o', 'name'])).not.toContain('weir.dev');
  },
);
