/**
 * The leader is killed at the worst moment of its start: its epoch is written down, and no plan of it is out yet. Nobody
 * knows then whether one was, so the next leader goes above it, and no revision is ever used twice.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { eventually } from '../../lib/testing/eventually.ts';
import { prepareSystem, type System } from '../system/programs.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type FaultyProxy, startProxy } from './proxy.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'kubernetes');
/** A Lease that nobody gives back is good for 15 s. */
const TAKEOVER_MS = 40_000;

let cluster: Cluster;
let proxy: FaultyProxy;
let system: System;

beforeAll(async () => {
  cluster = await startCluster();
  const manifests = ['rbac.yaml', 'demo.yaml', 'nodes.yaml'].flatMap((file) =>
    parseAllDocuments(readFileSync(join(EXAMPLE, file), 'utf8')).map((row) => row.toJS()),
  );
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], manifests);
  proxy = await startProxy(cluster.kubeconfig);
  system = await prepareSystem({
    source: (folder) => ({
      source: 'kubernetes',
      kubeconfig: join(folder, 'kubeconfig'),
      config: join(EXAMPLE, 'settings', 'weir.yaml'),
    }),
  });
  await writeFile(join(system.folder, 'kubeconfig'), stringify(kubeconfigOf(proxy.url)));
}, 900_000);

afterAll(async () => {
  await system.stop();
  await proxy.stop();
  await cluster.stop();
});

/** The proxy is the admin, and speaks HTTP: whoever asks it is nobody, and can check nothing. */
const kubeconfigOf = (server: string) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'proxy', cluster: { server, 'insecure-skip-tls-verify': true } }],
  users: [{ name: 'nobody', user: {} }],
  contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'nobody', namespace: 'weir-system' } }],
  'current-context': 'proxy',
});

/** 0 while there is none. */
async function epochInLease(): Promise<number> {
  const { code, stdout } = await cluster.try([
    'get',
    'lease/weir-operator',
    '-n',
    'weir-system',
    '-o',
    'json',
  ]);
  return code === 0 ? Number(JSON.parse(stdout).metadata.annotations?.['cdn.weir.dev/epoch'] ?? 0) : 0;
}

/** The epoch of the plans that are out; 0 while there are none. */
async function published(): Promise<number> {
  const { body } = await request(`http://127.0.0.1:${system.ports.operator}/metrics`);
  const [, epoch = '0'] = /^weir_operator_plan_epoch (\d+)$/m.exec(await body.text()) ?? [];
  return Number(epoch);
}

const kill = () => system.programs.get('operator')?.stop('SIGKILL');

test('a leader that is killed between its epoch and its first plan is followed by a higher one', async () => {
  // Its manifests never come, so no plan does.
  proxy.holds = ({ pathname }) => pathname.endsWith('/cdndomains');
  system.startOperator();
  await eventually(async () => expect(await epochInLease()).toBeGreaterThan(0), TAKEOVER_MS);
  const first = await epochInLease();
  expect(await published()).toBe(0);
  await kill();

  proxy.holds = () => false;
  system.startOperator();
  await eventually(async () => expect(await published()).toBeGreaterThan(first), TAKEOVER_MS);
  const second = await published();
  expect(await epochInLease()).toBe(second);
  await kill();

  // As is one that had published.
  system.startOperator();
  await eventually(async () => expect(await published()).toBeGreaterThan(second), TAKEOVER_MS);
}, 180_000);
