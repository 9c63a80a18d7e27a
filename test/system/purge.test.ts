/** A purge reaches every edge, is acked by each, and names the one that is cut off until it caught up. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { eventually } from '../../lib/testing/eventually.ts';
import { addresses, CLIENTS, get } from './client.ts';
import { type CountingOrigin, startCountingOrigin } from './counting-origin.ts';
import { cdnDomain, EDGES, prepareSystem, purgeJob, type System, startAll, untilReady } from './programs.ts';

let system: System;
let origin: CountingOrigin;

beforeAll(async () => {
  origin = await startCountingOrigin();
  system = await prepareSystem();
  await system.write('domain.yaml', [cdnDomain('video', 'video.example.com', origin.port)]);
  startAll(system);
  await untilReady(system);
  await eventually(async () => {
    expect(await addresses(system.ports.dns, CLIENTS.zhengzhou)).toEqual(['127.0.2.1']);
    for (const { address } of EDGES) expect((await get(system, address, '/a')).status).toBe(200);
  });
}, 60_000);

afterAll(async () => {
  await system.stop();
  await origin.stop();
});

const status = async (name: string) =>
  parse(await readFile(system.state.statusFile({ kind: 'PurgeJob', namespace: 'demo', name }), 'utf8'))
    .status;
const isComplete = ({ conditions }: { conditions: { type: string; status: string }[] }) =>
  conditions.some(({ type, status: holds }) => type === 'Complete' && holds === 'True');

test('one URL is forgotten by all three edges, and only that one', async () => {
  for (const { address } of EDGES) await get(system, address, '/b');
  const [a, b] = [origin.count('/a'), origin.count('/b')];
  await system.write('purge-a.yaml', [purgeJob('purge-a', { urls: ['https://video.example.com/a'] })]);
  await eventually(async () => expect(isComplete(await status('purge-a'))).toBe(true));
  expect(await status('purge-a')).toMatchObject({
    nodes: { targeted: 3, acked: 3, failed: 0 },
    awaited: [],
    objects: 3,
  });
  for (const { address } of EDGES) {
    await get(system, address, '/a');
    await get(system, address, '/b');
  }
  expect(origin.count('/a')).toBe(a + 3);
  expect(origin.count('/b')).toBe(b);
}, 30_000);

test('an edge that is away is named, stays out of DNS when it comes back until it acked, and has forgotten', async () => {
  await get(system, '127.0.2.1', '/c');
  await system.programs.get('zz-1')?.stop('SIGKILL');
  await system.write('purge-c.yaml', [purgeJob('purge-c', { prefixes: ['http://video.example.com/c'] })]);
  await eventually(async () => {
    expect(await status('purge-c')).toMatchObject({
      nodes: { targeted: 3, acked: 2, failed: 0 },
      awaited: [{ node: 'zz-1', reason: 'NotConnected' }],
    });
  });
  const before = origin.count('/c');
  system.startEdge('zz-1');
  await eventually(async () => expect(isComplete(await status('purge-c'))).toBe(true));
  await eventually(async () => {
    expect(await addresses(system.ports.dns, CLIENTS.zhengzhou)).toEqual(['127.0.2.1']);
  });
  expect((await get(system, '127.0.2.1', '/c')).status).toBe(200);
  expect(origin.count('/c')).toBe(before + 1);
}, 60_000);

test('an operator that is killed during a purge finishes it, counted once', async () => {
  for (const { address } of EDGES) await get(system, address, '/d');
  system.programs.get('la-1')?.signal('SIGSTOP');
  await system.write('purge-d.yaml', [purgeJob('purge-d', { everything: true })]);
  await eventually(async () => expect(await status('purge-d')).toMatchObject({ nodes: { acked: 2 } }));
  await system.programs.get('operator')?.stop('SIGKILL');
  system.startOperator();
  system.programs.get('la-1')?.signal('SIGCONT');
  await eventually(async () => expect(isComplete(await status('purge-d'))).toBe(true));
  expect(await status('purge-d')).toMatchObject({ nodes: { targeted: 3, acked: 3, failed: 0 } });
}, 60_000);

test('a deadline names who did not ack, and that node revalidates what it stored', async () => {
  await get(system, '127.0.2.1', '/e');
  await system.programs.get('zz-1')?.stop('SIGKILL');
  const target = { urls: ['http://video.example.com/e'], activeDeadlineSeconds: 1 };
  await system.write('purge-e.yaml', [purgeJob('purge-e', target)]);
  await eventually(async () => {
    const { conditions } = await status('purge-e');
    expect(conditions).toContainEqual(
      expect.objectContaining({ type: 'Failed', status: 'True', reason: 'DeadlineExceeded' }),
    );
    expect(conditions.find(({ type }: { type: string }) => type === 'Failed').message).toContain('zz-1');
  });
  const node = async () =>
    parse(await readFile(system.state.statusFile({ kind: 'EdgeNode', namespace: '', name: 'zz-1' }), 'utf8'))
      .status;
  expect(await node()).toMatchObject({ mustRevalidate: true });
  const before = origin.count('/e');
  system.startEdge('zz-1');
  await eventually(async () => expect(await node()).toMatchObject({ mustRevalidate: false }));
  expect((await get(system, '127.0.2.1', '/e')).status).toBe(200);
  expect(origin.count('/e')).toBe(before + 1);
}, 60_000);
