/** With the operator dead, answers, failover and cache serving go on, restarts included. Real processes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { addresses, CLIENTS, get } from './client.ts';
import { type CountingOrigin, startCountingOrigin } from './counting-origin.ts';
import { cdnDomain, prepareSystem, type System, startAll, untilReady } from './programs.ts';

let system: System;
let origin: CountingOrigin;

beforeAll(async () => {
  origin = await startCountingOrigin();
  system = await prepareSystem();
  await system.write('domain.yaml', [
    cdnDomain('video', 'video.example.com', origin.port, { routing: { ttl: '10s' } }),
  ]);
  startAll(system);
  await untilReady(system);
}, 60_000);

afterAll(async () => {
  await system.stop();
  await origin.stop();
});

const answersOf = async () => ({
  zhengzhou: await addresses(system.ports.dns, CLIENTS.zhengzhou),
  beijing: await addresses(system.ports.dns, CLIENTS.beijing),
  california: await addresses(system.ports.dns, CLIENTS.california),
});
const EVERYONE_AT_HOME = { zhengzhou: ['127.0.2.1'], beijing: ['127.0.1.1'], california: ['127.0.3.1'] };

test('each client is sent to its region, and an edge asks the origin once', async () => {
  await eventually(async () => expect(await answersOf()).toEqual(EVERYONE_AT_HOME));
  const miss = await get(system, '127.0.2.1', '/a');
  const hit = await get(system, '127.0.2.1', '/a');
  expect([miss.status, hit.status]).toEqual([200, 200]);
  expect(hit.body.equals(miss.body)).toBe(true);
  expect(String(hit.headers['cache-status'])).toMatch(/zz-1; hit/);
  expect(origin.count('/a')).toBe(1);
}, 30_000);

test('the operator is killed: answers and cache go on, and a frozen edge leaves the answers', async () => {
  await system.programs.get('operator')?.stop('SIGKILL');
  expect(await answersOf()).toEqual(EVERYONE_AT_HOME);
  expect((await get(system, '127.0.2.1', '/a')).status).toBe(200);
  system.programs.get('zz-1')?.signal('SIGSTOP');
  await eventually(async () => {
    expect(await addresses(system.ports.dns, CLIENTS.zhengzhou)).toEqual(['127.0.1.1']);
  });
  system.programs.get('zz-1')?.signal('SIGCONT');
  await eventually(async () => expect(await answersOf()).toEqual(EVERYONE_AT_HOME));
}, 30_000);

test('dns-server and edge restart with no operator: they answer from what lies on their disks', async () => {
  await system.programs.get('dns-server')?.stop('SIGKILL');
  system.startDns();
  await eventually(async () => expect(await answersOf()).toEqual(EVERYONE_AT_HOME));
  await system.programs.get('zz-1')?.stop('SIGKILL');
  system.startEdge('zz-1');
  await eventually(async () => {
    const reply = await get(system, '127.0.2.1', '/a');
    expect(reply.status).toBe(200);
    expect(String(reply.headers['cache-status'])).toMatch(/zz-1; hit/);
  });
  expect(origin.count('/a')).toBe(1);
  await eventually(async () => expect(await answersOf()).toEqual(EVERYONE_AT_HOME));
}, 60_000);

test('where all edges are down, all are answered', async () => {
  for (const name of ['bj-1', 'zz-1', 'la-1']) system.programs.get(name)?.signal('SIGSTOP');
  await eventually(async () => {
    expect(await addresses(system.ports.dns, CLIENTS.zhengzhou)).toEqual([
      '127.0.1.1',
      '127.0.2.1',
      '127.0.3.1',
    ]);
  });
  for (const name of ['bj-1', 'zz-1', 'la-1']) system.programs.get(name)?.signal('SIGCONT');
  await eventually(async () => expect(await answersOf()).toEqual(EVERYONE_AT_HOME));
}, 60_000);
