/** DNS never points at an edge before it is ready for a domain, and edges serve a domain on after it left, over HTTPS too. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readHeldTable } from '../../agent/held-files.ts';
import { secureExchange } from '../../edge/testing/tls-exchange.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { type TestPair, testCa } from '../../operator/testing/certificates.ts';
import { addresses, CLIENTS, CNAME, dig, get } from './client.ts';
import { type CountingOrigin, startCountingOrigin } from './counting-origin.ts';
import { cdnDomain, prepareSystem, type System, tlsSecret } from './programs.ts';

const VIDEO = { kind: 'CdnDomain', namespace: 'demo', name: 'video' } as const;
let system: System;
let origin: CountingOrigin;
let secret: TestPair;

beforeAll(async () => {
  origin = await startCountingOrigin();
  system = await prepareSystem();
  const ca = await testCa();
  secret = await ca.issue({
    names: ['video.example.com'],
    notAfter: new Date(Date.now() + 86_400_000).toISOString(),
  });
  const tls = { secretRef: { name: 'video-tls' } };
  await system.write('domain.yaml', [
    cdnDomain('video', 'video.example.com', origin.port, { tls }),
    tlsSecret('video-tls', secret),
  ]);
  system.startOperator();
  system.startDns();
}, 60_000);

afterAll(async () => {
  await system.stop();
  await origin.stop();
});

const status = async () => parse(await readFile(system.state.statusFile(VIDEO), 'utf8')).status;

test('before any edge has the domain its name is NODATA for 5 s, and the status says what is missing', async () => {
  await eventually(async () => {
    const answer = await dig(system.ports.dns, CNAME, CLIENTS.zhengzhou);
    expect(answer).toMatchObject({ rcode: 'NOERROR', answers: [], flag_aa: true });
    expect(answer.authorities).toMatchObject([{ type: 'SOA', name: 'cdn.example.net', ttl: 5 }]);
  });
  const ready = (await status()).conditions.find(({ type }: { type: string }) => type === 'Ready');
  expect(ready).toMatchObject({ status: 'False', reason: 'NoNodeConnected' });
}, 60_000);

test('the first edge that acks answers, wherever its region is; the nearer one takes over when it acks', async () => {
  system.startEdge('la-1');
  await eventually(async () => {
    expect(await addresses(system.ports.dns, CLIENTS.zhengzhou)).toEqual(['127.0.3.1']);
  });
  // What DNS answers with serves, from the first answer on.
  expect((await get(system, '127.0.3.1', '/first')).status).toBe(200);
  system.startEdge('zz-1');
  await eventually(async () => {
    expect(await addresses(system.ports.dns, CLIENTS.zhengzhou)).toEqual(['127.0.2.1']);
  });
  expect((await get(system, '127.0.2.1', '/second')).status).toBe(200);
  await eventually(async () => expect((await status()).cname).toBe(CNAME));
}, 60_000);

test('an edge that goes away is missing, not withdrawn: only its health takes it out', async () => {
  await system.programs.get('zz-1')?.stop('SIGKILL');
  await eventually(async () => {
    expect(await addresses(system.ports.dns, CLIENTS.zhengzhou)).toEqual(['127.0.3.1']);
  });
  const table = await readHeldTable(system.state.dnsServer, silentLog);
  expect(table.rows).toContainEqual(expect.objectContaining({ node: 'zz-1', admitted: true }));
}, 60_000);

test('a deleted domain leaves DNS at once, and edges serve it on for its linger', async () => {
  await rm(join(system.folder, 'domain.yaml'));
  await eventually(async () => {
    expect(await dig(system.ports.dns, CNAME, CLIENTS.zhengzhou)).toMatchObject({ rcode: 'NXDOMAIN' });
  });
  const reply = await get(system, '127.0.3.1', '/first');
  expect(reply.status).toBe(200);
  expect(String(reply.headers['cache-status'])).toMatch(/la-1; hit/);
}, 60_000);

const overHttps = () =>
  secureExchange(system.ports.https, {
    host: '127.0.3.1',
    servername: 'video.example.com',
    // Whose it is, is not what is looked at.
    rejectUnauthorized: false,
  });

test('its certificate stays with it, also past an operator that never knew of either', async () => {
  expect(await overHttps()).toMatchObject({ status: 200, keyType: 'EC' });
  await system.programs.get('operator')?.stop('SIGKILL');
  const edge = system.programs.get('la-1');
  const before = connections(edge?.log);
  system.startOperator();
  await eventually(() => expect(connections(edge?.log)).toBe(before + 1));
  // What it is told of its secrets comes before the plan.
  await eventually(() =>
    expect(edge?.log.split('connected to the operator').at(-1)).toContain('plan in force'),
  );
  expect(await overHttps()).toMatchObject({ status: 200, keyType: 'EC' });
}, 60_000);

const connections = (log = '') => log.split('connected to the operator').length - 1;
