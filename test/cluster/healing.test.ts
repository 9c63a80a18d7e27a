/** What somebody breaks in the API, by hand or by accident, the operator mends; the same process all the time. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { prepareSystem, type System } from '../system/programs.ts';
import { type Cluster, startCluster } from './cluster.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const EXAMPLE = join(ROOT, 'examples', 'kubernetes');
const CRDS = join(ROOT, 'crds');
const SOON = { timeout: 40_000, interval: 100 };

let cluster: Cluster;
let system: System;

beforeAll(async () => {
  cluster = await startCluster();
  const manifests = ['rbac.yaml', 'demo.yaml', 'nodes.yaml'].flatMap((file) =>
    parseAllDocuments(readFileSync(join(EXAMPLE, file), 'utf8')).map((row) => row.toJS()),
  );
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], manifests);
  const kubeconfig = await cluster.kubeconfigOf('weir-operator', 'weir-system');
  system = await prepareSystem({
    source: () => ({ source: 'kubernetes', kubeconfig, config: join(EXAMPLE, 'settings', 'weir.yaml') }),
  });
  system.startOperator();
  await accepted('cdn/video', '-n', 'demo');
}, 900_000);

afterAll(async () => {
  expect(await system.programs.get('operator')?.stop()).toBe(0);
  await system.stop();
  await cluster.stop();
});

const accepted = (...what: string[]) =>
  cluster.kubectl(['wait', '--for=condition=Accepted', '--timeout=40s', ...what]);
const read = async (...args: string[]) => JSON.parse(await cluster.kubectl(['get', ...args, '-o', 'json']));
const video = async () => (await read('cdn', 'video', '-n', 'demo')).status;
const patchStatus = (type: string, patch: unknown, what = ['cdn', 'video', '-n', 'demo']) =>
  cluster.kubectl(['patch', ...what, '--subresource=status', `--type=${type}`, '-p', JSON.stringify(patch)]);

describe('a status', () => {
  test.each([
    ['that somebody edited', 'merge', { status: { cname: 'elsewhere.example.net', observedGeneration: 99 } }],
    ['whose conditions are lost', 'json', [{ op: 'remove', path: '/status/conditions' }]],
    ['that is lost', 'json', [{ op: 'remove', path: '/status' }]],
  ])(
    '%s is written again',
    async (_, type, patch) => {
      const before = await video();
      await patchStatus(type, patch);
      await vi.waitFor(async () => expect(await video()).toEqual(before), SOON);
    },
    60_000,
  );

  test('keeps a condition that somebody else added, and is not written for it', async () => {
    const other = {
      type: 'CheckedByHand',
      status: 'True',
      reason: 'Checked',
      message: 'looks good',
      lastTransitionTime: '2026-11-22T04:00:00Z',
    };
    await patchStatus('json', [{ op: 'add', path: '/status/conditions/-', value: other }]);
    const mended = async (...what: string[]) => {
      await patchStatus('merge', { status: { observedGeneration: 99 } }, what);
      await vi.waitFor(async () => {
        expect((await read(...what)).status.observedGeneration).toBe(1);
      }, SOON);
    };
    await mended('cdn', 'video', '-n', 'demo');
    const { status, metadata } = await read('cdn', 'video', '-n', 'demo');
    expect(status.conditions).toContainEqual(expect.objectContaining(other));
    // All statuses are looked at when one is mended.
    await mended('edge', 'zz-1');
    const after = await read('cdn', 'video', '-n', 'demo');
    expect(after.metadata.resourceVersion).toBe(metadata.resourceVersion);
  }, 60_000);
});

test('accepted forms that somebody deleted are written again', async () => {
  const forms = async () => {
    const { items } = await read('controllerrevisions', '-A', '-l', 'cdn.weir.dev/accepted');
    return items.map((item: { metadata: { name: string } }) => item.metadata.name).sort();
  };
  await vi.waitFor(async () => expect(await forms()).toHaveLength(5), SOON);
  const before = await forms();
  await cluster.kubectl(['delete', 'controllerrevisions', '-A', '-l', 'cdn.weir.dev/accepted']);
  await vi.waitFor(async () => expect(await forms()).toEqual(before), SOON);
}, 60_000);

test('a CRD that is deleted takes its objects with it; made again, it works again', async () => {
  const crd = join(CRDS, 'cdn.weir.dev_cdndomains.yaml');
  await cluster.kubectl(['delete', '-f', crd, '--timeout=60s']);
  await accepted('edge/zz-1');
  await cluster.kubectl(['apply', '--server-side', '-f', crd]);
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=30s', '-f', crd]);
  const demo = parseAllDocuments(readFileSync(join(EXAMPLE, 'demo.yaml'), 'utf8')).map((row) => row.toJS());
  await vi.waitFor(() => cluster.kubectl(['apply', '--server-side', '-f', '-'], demo), SOON);
  await accepted('cdn/video', '-n', 'demo');
}, 120_000);
