/** `kubectl weir`: the real kubectl with our plugin in its PATH, by the rights of whoever has the kubeconfig. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runWeir } from '../../cli/testing/run-weir.ts';
import { CLIENTS } from '../system/client.ts';
import { type CountingOrigin, startCountingOrigin } from '../system/counting-origin.ts';
import { cdnDomain, EDGES, edgeNode, prepareSystem, type System, startAll } from '../system/programs.ts';
import { kubectlBinary } from './binaries.ts';
import { type Cluster, startCluster } from './cluster.ts';

const SOON = { timeout: 30_000, interval: 200 };

let cluster: Cluster;
let system: System;
let origin: CountingOrigin;
let plugins: string;

beforeAll(async () => {
  cluster = await startCluster();
  origin = await startCountingOrigin();
  plugins = await mkdtemp(join(tmpdir(), 'weir-plugin-'));
  await symlink(join(import.meta.dirname, '../../cli/kubectl-weir.mjs'), join(plugins, 'kubectl-weir'));
  system = await prepareSystem({
    source: (folder) => ({
      source: 'kubernetes',
      kubeconfig: cluster.kubeconfig,
      config: join(folder, 'weir.yaml'),
    }),
  });
  await cluster.kubectl(['create', 'namespace', 'demo']);
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    [
      cdnDomain('video', 'video.example.com', origin.port),
      ...EDGES.map((edge) => edgeNode(edge, system.ports.http)),
    ],
  );
  startAll(system);
  await cluster.kubectl(['wait', '-n', 'demo', '--for=condition=Ready', '--timeout=60s', 'cdn/video']);
  await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=60s', 'edge', '--all']);
}, 900_000);

afterAll(async () => {
  await system.stop();
  await origin.stop();
  await cluster.stop();
  await rm(plugins, { recursive: true, force: true });
});

/** As a person types it; the plugin asks for `node` in PATH. */
async function kubectlWeir(...args: string[]) {
  const kubectl = await kubectlBinary();
  const PATH = [plugins, dirname(process.execPath), process.env.PATH].join(':');
  const env = { ...process.env, PATH, KUBECONFIG: cluster.kubeconfig };
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(kubectl, ['weir', ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

test('is found by kubectl, and names its commands', async () => {
  const { stdout } = await kubectlWeir('--help');
  expect(stdout).toContain('Usage: kubectl weir [options] [command]');
  const commands = [...stdout.matchAll(/^ {2}([a-z-]+) \[/gm)].map(([, name]) => name);
  expect(commands).toEqual(['get', 'top', 'explain', 'purge', 'prefetch', 'help']);
}, 60_000);

test('get shows one namespace, the one of the kubeconfig by default, and all nodes', async () => {
  const here = await kubectlWeir('get', '-n', 'demo');
  expect(here).toMatchObject({ code: 0, stderr: '' });
  expect(here.stdout).toMatch(
    /demo +cdndomain\/video +video\.example\.com +video\.demo\.cdn\.example\.net +True +Ready/,
  );
  expect(here.stdout).toMatch(/edgenode\/zz-1 +cn-central +127\.0\.2\.1 +true +True +Ready/);
  const elsewhere = await kubectlWeir('get', 'cdn');
  expect(elsewhere).toMatchObject({ code: 0, stdout: '', stderr: 'weir: there is no CdnDomain\n' });
  expect((await kubectlWeir('get', 'cdn', '-A')).stdout).toContain('video.example.com');
  const one = JSON.parse((await kubectlWeir('get', 'cdn', 'video', '-n', 'demo', '-o', 'json')).stdout);
  expect(one).toMatchObject({ kind: 'CdnDomain', status: { cname: 'video.demo.cdn.example.net' } });
}, 60_000);

/** What standalone has for it: the operator's own plan and table. */
const explainByOperator = (client: string) =>
  runWeir([
    'explain',
    'video.example.com',
    '--client',
    client,
    '--state',
    system.state.root,
    '--operator',
    `https://127.0.0.1:${system.ports.operator}`,
  ]);
const explainByStatuses = (client: string) => kubectlWeir('explain', 'video.example.com', '--client', client);

test('explain prints the chain that the operator’s own plan and table give', async () => {
  for (const client of Object.values(CLIENTS)) {
    // A loaded machine lowers weights, and statuses follow a second later.
    await vi.waitFor(async () => {
      const expected = await explainByOperator(client);
      expect(expected.code).toBe(0);
      expect(await explainByStatuses(client)).toEqual(expected);
    }, SOON);
  }
}, 120_000);

test('explain says of an edge that stopped what its probes met', async () => {
  await system.programs.get('zz-1')?.stop('SIGKILL');
  await cluster.kubectl(['wait', '--for=condition=Healthy=False', '--timeout=30s', 'edge/zz-1']);
  await vi.waitFor(async () => {
    const { stdout } = await explainByStatuses(CLIENTS.zhengzhou);
    expect(stdout).toMatch(/zz-1 +cn-central +100( x \S+)? +no +Unhealthy: 127\.0\.2\.1: /);
    expect(stdout).toMatch(/answer {2}A 127\.0\.1\.1, /);
    expect(stdout).toBe((await explainByOperator(CLIENTS.zhengzhou)).stdout);
  }, SOON);
}, 120_000);

test('purge creates a PurgeJob, and exits by what became of it', async () => {
  const url = ['--url', 'http://video.example.com/a', '-n', 'demo'];
  const waiting = await kubectlWeir('purge', ...url, '--wait', '5s');
  expect(waiting).toMatchObject({ code: 3, stderr: '' });
  expect(waiting.stdout).toMatch(
    /still running after 5 s: 2 of 3 nodes acked; waiting for zz-1 \(NotConnected\)/,
  );
  system.startEdge('zz-1');
  const done = await kubectlWeir('purge', ...url);
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(done.stdout).toMatch(/^demo\/purge-\S+: Complete: 3 of 3 nodes acked, 0 objects dropped\n$/);
  const elsewhere = await kubectlWeir('purge', '--url', 'http://video.example.com/a');
  expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining('no such domain') });
  const jobs = JSON.parse(await cluster.kubectl(['get', 'purge', '-n', 'demo', '-o', 'json']));
  expect(jobs.items).toHaveLength(2);
}, 120_000);

test('top shows what statuses tell where no operator can be asked', async () => {
  const { code, stdout } = await kubectlWeir('top', '--once', '-A');
  expect(code).toBe(0);
  const { edges, domains } = JSON.parse(stdout);
  expect(edges.map(({ node }: { node: string }) => node)).toEqual(['bj-1', 'la-1', 'zz-1']);
  expect(domains).toEqual([{ domain: 'demo/video', hostname: 'video.example.com', ready: 'True' }]);
}, 60_000);

test('an API server that is not there, or a kubeconfig that is none, is told in one line', async () => {
  const gone = { server: 'https://127.0.0.1:1', name: 'gone' };
  const missing = await kubectlWeir('get', '--kubeconfig', join(plugins, 'none'));
  expect(missing).toMatchObject({ code: 2, stdout: '' });
  expect(missing.stderr).toMatch(/^weir: .*none.*\n$/);
  const context = await kubectlWeir('get', '--context', gone.name);
  expect(context).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('the context gone names no cluster'),
  });
}, 60_000);
