/** The whole of Weir with its resources in a Kubernetes API, driven by kubectl as people do. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { freePort } from '../../lib/testing/free-port.ts';
import { unknownTo } from '../../operator/testing/trust.ts';
import { addresses, CLIENTS, CNAME, get, keptByBrowsers } from '../system/client.ts';
import { type CountingOrigin, startCountingOrigin } from '../system/counting-origin.ts';
import { EDGES, Program, prepareSystem, purgeJob, type System, startAll } from '../system/programs.ts';
import { type Cluster, startCluster } from './cluster.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'kubernetes');
const SOON = { timeout: 90_000, interval: 100 };

let cluster: Cluster;
let system: System;
let origin: CountingOrigin;
/** Of the ServiceAccount that the example gives the operator, and of nobody with more rights. */
let operatorKubeconfig: string;

/** The example's manifests, moved to the ports of this run. */
function manifests(file: string): Record<string, unknown>[] {
  const text = readFileSync(join(EXAMPLE, file), 'utf8')
    .replaceAll('8080', String(system.ports.http))
    .replaceAll('8800', String(origin.port));
  return parseAllDocuments(text).map((document) => z.record(z.string(), z.unknown()).parse(document.toJS()));
}

beforeAll(async () => {
  cluster = await startCluster();
  origin = await startCountingOrigin();
  system = await prepareSystem({
    source: () => ({
      source: 'kubernetes',
      kubeconfig: operatorKubeconfig,
      config: join(EXAMPLE, 'settings', 'weir.yaml'),
    }),
  });
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    ['rbac.yaml', 'demo.yaml', 'nodes.yaml'].flatMap((file) => manifests(file)),
  );
  operatorKubeconfig = await cluster.kubeconfigOf('weir-operator', 'weir-system');
  startAll(system);
}, 900_000);

afterAll(async () => {
  await system.stop();
  await origin.stop();
  await cluster.stop();
});

const wait = (what: string, condition: string) =>
  cluster.kubectl(['wait', '-n', 'demo', `--for=condition=${condition}`, '--timeout=120s', what]);
const read = async (...args: string[]) => JSON.parse(await cluster.kubectl(['get', ...args, '-o', 'json']));
const apply = (...documents: unknown[]) =>
  cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], documents);
const conditionOf = async (type: string, ...args: string[]) => {
  const { status } = await read(...args);
  return status.conditions?.find((row: { type: string }) => row.type === type);
};
const near = (client: keyof typeof CLIENTS) => addresses(system.ports.dns, CLIENTS[client]);

test('what is applied becomes Ready, and its status says under which name', async () => {
  await wait('cdn/video', 'Ready');
  for (const { name } of EDGES) await wait(`edge/${name}`, 'Ready');
  const domain = await read('cdn', 'video', '-n', 'demo', '--show-managed-fields');
  expect(domain.status).toMatchObject({ cname: CNAME, observedGeneration: domain.metadata.generation });
  expect(domain.metadata.managedFields).toContainEqual(
    expect.objectContaining({ manager: 'weir', subresource: 'status' }),
  );
}, 300_000);

test('clients in three regions get three edges; each edge misses once and then hits', async () => {
  await vi.waitFor(async () => {
    expect(await near('beijing')).toEqual(['127.0.1.1']);
    expect(await near('zhengzhou')).toEqual(['127.0.2.1']);
    expect(await near('california')).toEqual(['127.0.3.1']);
  }, SOON);
  for (const { address } of EDGES) {
    const [first, second] = [await get(system, address, '/a'), await get(system, address, '/a')];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect([first.headers['cache-status'], second.headers['cache-status']]).toEqual([
      expect.stringContaining('fwd=uri-miss'),
      expect.stringContaining('hit'),
    ]);
  }
  expect(origin.count('/a')).toBe(3);
}, 300_000);

test('a PurgeJob is waited for by its condition, and every edge has forgotten', async () => {
  const before = origin.count('/a');
  const job = purgeJob('release-42', { urls: ['https://video.example.com/a'] });
  await cluster.kubectl(['create', '-f', '-'], [job]);
  await wait('purge/release-42', 'Complete');
  expect((await read('purge', 'release-42', '-n', 'demo')).status).toMatchObject({
    nodes: { targeted: 3, acked: 3, failed: 0 },
    objects: 3,
  });
  for (const { address } of EDGES) await get(system, address, '/a');
  expect(origin.count('/a')).toBe(before + 3);
}, 300_000);

test('what changed is told in Events, once', async () => {
  const row = '{.type} {.reason} {.involvedObject.kind} {.involvedObject.name}';
  const format = `jsonpath={range .items[*]}${row}{"\\n"}{end}`;
  const told = (await cluster.kubectl(['get', 'events', '-n', 'demo', '-o', format])).trim().split('\n');
  expect(told.sort()).toEqual(['Normal AllNodesAcked PurgeJob release-42', 'Normal Ready CdnDomain video']);
  const text = await cluster.kubectl(['describe', 'edge', 'zz-1']);
  expect(text).toMatch(/Normal +Ready +/);
});

test('a PurgeJob that outlived its time is removed', async () => {
  const job = purgeJob('short', { everything: true, ttlSecondsAfterFinished: 0 });
  await cluster.kubectl(['create', '-f', '-'], [job]);
  await vi.waitFor(async () => {
    const { code, stderr } = await cluster.try(['get', 'purge', 'short', '-n', 'demo']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('NotFound')]);
  }, SOON);
}, 300_000);

test('a rule that is patched is seen at the edges', async () => {
  const rules = [{ match: { pathPrefix: '/' }, ttl: '1h', browserTtl: '77s' }];
  const patch = JSON.stringify({ spec: { cache: { rules } } });
  await cluster.kubectl(['patch', 'cdn', 'video', '-n', 'demo', '--type=merge', '-p', patch]);
  await vi.waitFor(async () => {
    for (const { address } of EDGES) {
      expect(keptByBrowsers(await get(system, address, '/a'))).toBe(77);
    }
  }, SOON);
}, 300_000);

describe('a CdnDomain with a mistake', () => {
  const other = (name: string, spec: Record<string, unknown>) => ({
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'CdnDomain',
    metadata: { name, namespace: 'demo' },
    spec: { origins: [{ name: 'main', url: `http://127.0.0.1:${origin.port}` }], ...spec },
  });

  test('in itself is refused by the API server', async () => {
    const { code, stderr } = await cluster.try(
      ['create', '-f', '-'],
      [other('bad', { hostname: 'Bad.example.com' })],
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining('spec.hostname')]);
  });

  test('against another is not accepted, says why for its own generation, and leaves the other alone', async () => {
    // Its last change may have reached the edges, and not yet its status.
    await wait('cdn/video', 'Ready');
    await cluster.kubectl(['create', '-f', '-'], [other('rival', { hostname: 'video.example.com' })]);
    await vi.waitFor(async () => {
      expect(await conditionOf('Accepted', 'cdn', 'rival', '-n', 'demo')).toMatchObject({
        status: 'False',
        reason: 'Conflict',
        observedGeneration: 1,
      });
    }, SOON);
    // Tools that wait for it give up here, rather than at their own deadline.
    await wait('cdn/rival', 'Stalled');
    expect(await conditionOf('Ready', 'cdn', 'video', '-n', 'demo')).toMatchObject({ status: 'True' });
    await cluster.kubectl(['delete', 'cdn', 'rival', '-n', 'demo']);
  }, 300_000);

  test('in a change leaves its accepted form in force, also over a restart of the operator', async () => {
    await apply(other('www', { hostname: 'www.example.com' }));
    await wait('cdn/www', 'Ready');
    await apply(other('www', { hostname: 'www.example.com', aliases: ['video.example.com'] }));
    const refused = async () =>
      expect(await conditionOf('Accepted', 'cdn', 'www', '-n', 'demo')).toMatchObject({
        status: 'False',
        observedGeneration: 2,
        message: expect.stringContaining('the last accepted form stays in force'),
      });
    await vi.waitFor(refused, SOON);
    await system.programs.get('operator')?.stop();
    system.startOperator();
    await vi.waitFor(async () => {
      expect(await conditionOf('Connected', 'edge', 'zz-1')).toMatchObject({ status: 'True' });
    }, SOON);
    await refused();
    const reply = await get(system, '127.0.2.1', '/w', { host: 'www.example.com' });
    expect(reply.status).toBe(200);
    await cluster.kubectl(['delete', 'cdn', 'www', '-n', 'demo']);
  }, 300_000);
});

describe('an edge that stops', () => {
  test('is avoided, is named, and taken back', async () => {
    await system.programs.get('zz-1')?.stop('SIGKILL');
    await vi.waitFor(async () => expect(await near('zhengzhou')).toEqual(['127.0.1.1']), SOON);
    await vi.waitFor(async () => {
      expect(await conditionOf('Connected', 'edge', 'zz-1')).toMatchObject({ status: 'False' });
    }, SOON);
    system.startEdge('zz-1');
    await vi.waitFor(async () => expect(await near('zhengzhou')).toEqual(['127.0.2.1']), SOON);
  }, 300_000);
});

test('a second operator sends those who ask to the leader, and takes over when that one stops', async () => {
  const port = await freePort();
  const flags = {
    source: 'kubernetes',
    kubeconfig: operatorKubeconfig,
    config: join(EXAMPLE, 'settings', 'weir.yaml'),
    state: system.state.root,
    listen: `127.0.0.1:${port}`,
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  const second = new Program('operator/main.ts', args);
  const readiness = async () => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/readyz`);
    return [statusCode, await body.text()];
  };
  try {
    await vi.waitFor(async () => {
      const authorization = `Bearer ${(await readFile(system.state.token, 'utf8')).trim()}`;
      const dispatcher = unknownTo({ ca: await readFile(system.state.bundle, 'utf8') });
      const url = `https://127.0.0.1:${port}/v1/resources`;
      const answer = await request(url, { dispatcher, headers: { authorization } });
      expect([answer.statusCode, await answer.body.text()]).toEqual([
        307,
        expect.stringMatching(/^standing by: .+_.+ leads/),
      ]);
      expect(answer.headers.location).toBe(`https://127.0.0.1:${system.ports.operator}/v1/resources`);
    }, SOON);
    await system.programs.get('operator')?.stop();
    await vi.waitFor(async () => {
      const metrics = await request(`http://127.0.0.1:${port}/metrics`);
      expect(await metrics.body.text()).toMatch(/^weir_operator_plan_epoch [1-9]/m);
    }, SOON);
    expect(await readiness()).toEqual([200, 'ok\n']);
    system.startOperator();
  } finally {
    expect(await second.stop()).toBe(0);
  }
  await wait('edge/zz-1', 'Connected');
}, 300_000);

describe('the API server is killed', () => {
  const serves = async () => {
    expect(await near('zhengzhou')).toEqual(['127.0.2.1']);
    expect((await get(system, '127.0.2.1', '/a')).status).toBe(200);
  };

  test('everything serves, agents reconnect, and it heals with what happened meanwhile', async (context) => {
    const { plane } = cluster;
    if (!plane) return context.skip('not in a borrowed cluster: it kills the API server');
    await vi.waitFor(serves, SOON);
    await plane.killApiServer();
    await system.programs.get('zz-1')?.stop('SIGKILL');
    system.startEdge('zz-1');
    await vi.waitFor(serves, SOON);
    await plane.startApiServer();
    await cluster.kubectl(['create', '-f', '-'], [purgeJob('after', { everything: true })]);
    await wait('purge/after', 'Complete');
    // Its health checks may have failed while it was started again.
    await vi.waitFor(serves, SOON);
  }, 300_000);

  test('and the operator too: everything serves, and the next operator goes on', async (context) => {
    const { plane } = cluster;
    if (!plane) return context.skip('not in a borrowed cluster: it kills the API server');
    await plane.killApiServer();
    await system.programs.get('operator')?.stop('SIGKILL');
    await vi.waitFor(serves, SOON);
    await plane.startApiServer();
    system.startOperator();
    await cluster.kubectl(['create', '-f', '-'], [purgeJob('later', { everything: true })]);
    await wait('purge/later', 'Complete');
    await serves();
  }, 300_000);
});
