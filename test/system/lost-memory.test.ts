/** An operator that comes back with an empty state folder changes no answer, and takes the lead again. */
import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Condition } from '../../contract/kinds/conditions.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { addresses, CLIENTS, dig } from './client.ts';
import { type CountingOrigin, startCountingOrigin } from './counting-origin.ts';
import { cdnDomain, EDGES, prepareSystem, type System, startAll, untilReady } from './programs.ts';

let system: System;
let origin: CountingOrigin;

beforeAll(async () => {
  origin = await startCountingOrigin();
  // Health is not what this is about: a busy machine must not take an edge out of the answers.
  system = await prepareSystem({ health: { timeout: '5s', failureThreshold: 10 } });
  await system.write('domain.yaml', [cdnDomain('video', 'video.example.com', origin.port)]);
  startAll(system);
  await untilReady(system);
}, 60_000);

afterAll(async () => {
  await system.stop();
  await origin.stop();
});

test('no answer changes from before the loss until the operator leads again, and new domains still come', async () => {
  const answer = () => addresses(system.ports.dns, CLIENTS.zhengzhou);
  // An edge that has just started says no to health checks for a moment: wait until that is over.
  await eventually(async () => {
    expect(await answer()).toEqual(['127.0.2.1']);
    for (const { name } of EDGES) expect(await isReady(name)).toBe(true);
  });
  const serialBefore = await soaSerial();

  await system.programs.get('operator')?.stop('SIGKILL');
  for (const path of [system.state.accepted, system.state.status, system.state.epoch]) {
    await rm(path, { recursive: true, force: true });
  }
  const seen = new Set<string>();
  let watching = true;
  const watcher = (async () => {
    while (watching) seen.add((await answer()).join());
  })();
  system.startOperator();
  await system.write('other.yaml', [cdnDomain('other', 'other.example.com', origin.port)]);
  await eventually(async () => {
    expect(await addresses(system.ports.dns, CLIENTS.zhengzhou, 'other.demo.cdn.example.net')).toEqual([
      '127.0.2.1',
    ]);
  });
  watching = false;
  await watcher;

  expect([...seen]).toEqual(['127.0.2.1']);
  expect(await soaSerial()).toBeGreaterThan(serialBefore);
}, 60_000);

async function isReady(name: string): Promise<boolean> {
  const file = system.state.statusFile({ kind: 'EdgeNode', namespace: '', name });
  const conditions: Condition[] = parse(await readFile(file, 'utf8')).status.conditions;
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

async function soaSerial(): Promise<number> {
  const { answers = [] } = await dig(system.ports.dns, 'cdn.example.net', undefined, 'SOA');
  const [soa] = answers;
  return soa?.type === 'SOA' ? (soa.data.serial ?? 0) : 0;
}
