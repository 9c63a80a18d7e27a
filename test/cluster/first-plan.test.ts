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

/** The proxy is the admin; whoever asks it needs to be nobody. */
const kubeconfigOf = (server: string) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'proxy', cluster: { server } }],
  users: [{ name: 'nobody', user: {} }],
  contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'nobody', namespace: 'weir-system' } }],
  'current-context': 'proxy',
});

async function epochInLease(): Promise<string | undefined> {
  const { code, stdout } = await cluster.try([
    'get',
    'lease/weir-operator',
    '-n',
    'weir-system',
    '-o',
    'json',
  ]);
  return code === 0 ? JSON.parse(stdout).metadata.annotations?.['cdn.weir.dev/epoch'] : undefined;
}

/** `epoch.seq` of the edges' plan; nothing while there is none. */
async function published(): Promise<string | undefined> {
  const { body } = await request(`http://127.0.0.1:${system.ports.operator}/metrics`);
  const text = await body.text();
  const [epoch, seq] = ['weir_operator_plan_epoch', 'weir_operator_edge_plan_seq'].map(
    (name) => new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1],
  );
  return epoch === undefined || epoch === '0' ? undefined : `${epoch}.${seq}`;
}

const kill = () => system.programs.get('operator')?.stop('SIGKILL');

test('a leader that is killed between its epoch and its first plan', async () => {
  // Its manifests never come, so no plan does.
  proxy.holds = ({ pathname }) => pathname.endsWith('/cdndomains');
  system.startOperator();
  await eventually(async () => expect(await epochInLease()).toBe('1'), TAKEOVER_MS);
  expect(await published()).toBeUndefined();
  await kill();

  proxy.holds = () => false;
  system.startOperator();
  await eventually(async () => expect(await published()).toBe('2.1'), TAKEOVER_MS);
  expect(await epochInLease()).toBe('2');
  await kill();

  // One that had published is followed by a higher one too.
  system.startOperator();
  await eventually(async () => expect(await published()).toBe('3.1'), TAKEOVER_MS);
}, 180_000);
