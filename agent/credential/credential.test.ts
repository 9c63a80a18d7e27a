/** An agent's credential over its life: got, kept, renewed before it ends, and got anew when it is taken no more. */
import { X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readBundle } from '../../contract/trust/bundle.ts';
import type { JoinTokenRecord } from '../../contract/trust/join-token.ts';
import { FakeClock } from '../../lib/clock.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { type StreamHost, startStreamHost } from '../../operator/testing/stream-host.ts';
import { memoryStore, TOKEN, testRequest, testTrust, unknownTo } from '../../operator/testing/trust.ts';
import {
  CA_LIFETIME_MS,
  type CaState,
  DAY_MS,
  OVERLAP_MS,
  PREPARE_BEFORE_MS,
} from '../../operator/trust/ca.ts';
import { makeAuthority } from '../../operator/trust/certificates.ts';
import { type Probe, probeEdge, published } from '../testing/probe-edge.ts';
import { credentialFiles, writeCredential } from './credential-files.ts';

let folder: string;
const ends: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-credential-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await rm(folder, { recursive: true });
});

async function startHost(options: Parameters<typeof startStreamHost>[0] = {}): Promise<StreamHost> {
  const host = await startStreamHost(options);
  ends.push(() => host.stop());
  return host;
}

async function start(host: StreamHost, changes: Parameters<typeof probeEdge>[2] = {}): Promise<Probe> {
  const probe = await probeEdge(folder, host, changes);
  ends.push(() => probe.agent.stop());
  await probe.agent.load();
  probe.agent.connect();
  return probe;
}

const files = () => credentialFiles(join(folder, 'edge', 'credential'));
const certificate = async () => new X509Certificate(await readFile(files().credential, 'utf8'));
const connects = (host: StreamHost) => host.seen.filter((line) => line.startsWith('connect'));
const connected = (host: StreamHost, times = 1) =>
  eventually(() => expect(connects(host)).toHaveLength(times));

async function oneUseToken(host: StreamHost): Promise<string> {
  const dispatcher = unknownTo(host);
  const { body } = await request(`${host.url}/v1/join-tokens`, {
    method: 'POST',
    dispatcher,
    headers: { authorization: `Bearer ${host.token}` },
    body: JSON.stringify({ role: 'edge', node: 'a', lifetime: 60_000 }),
  });
  const { token } = (await body.json()) as { token: string };
  await dispatcher.destroy();
  const file = join(folder, 'join-token');
  await writeFile(file, token);
  return file;
}

test('lies in files of its owner alone, key and certificate in one', async () => {
  const host = await startHost();
  await start(host);
  await connected(host);
  for (const path of Object.values(files())) expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, 'edge', 'credential'))).mode & 0o777).toBe(0o700);
  expect(await readFile(files().credential, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----[^-]+-----END/);
  expect(await readFile(files().bundle, 'utf8')).toBe(host.ca);
});

test('is asked for once: a restart needs no token, and a token that is used does not matter', async () => {
  const host = await startHost();
  const joinTokenFile = await oneUseToken(host);
  // The token alone says whom to trust.
  const first = await start(host, { joinTokenFile, operatorCa: undefined });
  await connected(host);
  await first.agent.stop();
  const before = (await certificate()).serialNumber;
  await start(host, { joinTokenFile: undefined, operatorCa: undefined });
  await connected(host, 2);
  expect((await certificate()).serialNumber).toBe(before);
});

test('an agent that was refused for a time comes in again with what it has, though its token is spent', async () => {
  const host = await startHost();
  const { log, lines } = countingLog();
  await start(host, { joinTokenFile: await oneUseToken(host), operatorCa: undefined, log });
  await connected(host);
  const before = (await certificate()).serialNumber;
  host.incarnations.set('a', 'second');
  host.server.enforce();
  await eventually(() => expect(JSON.stringify(lines)).toContain('showing the one held again'));
  host.incarnations.set('a', 'first');
  await connected(host, 2);
  expect((await certificate()).serialNumber).toBe(before);
});

test('a join token is shown to no other operator than its own', async () => {
  const [host, stranger] = [await startHost(), await startHost({ trust: await otherCa() })];
  const joinTokenFile = await oneUseToken(host);
  const { log, lines } = countingLog();
  await start({ ...host, url: stranger.url }, { joinTokenFile, operatorCa: undefined, log });
  await eventually(() =>
    expect(JSON.stringify(lines)).toContain('is not the operator that this token is for'),
  );
  // It would be refused as one that nobody knows, had it been shown.
  const refusals = await stranger.metrics.getSingleMetric('weir_operator_refusals_total')?.get();
  expect(refusals?.values.filter(({ value }) => value > 0)).toEqual([]);
});

const otherCa = async () =>
  testTrust({
    stores: { ca: memoryStore({ signing: await makeAuthority(Date.now()) }), tokens: memoryStore() },
  });

describe('is asked for anew, with the token of the machine,', () => {
  test('when the operator lost its CA and has another', async () => {
    const first = await startHost();
    const probe = await start(first);
    await connected(first);
    await first.stop();
    const lost = await otherCa();
    const second = await startHost({ port: first.port, trust: lost });
    // What is mounted tells of the new one.
    await writeFile(join(folder, 'operator-ca.pem'), lost.trust.ca.bundle().pem);
    await connected(second);
    await eventually(() => expect(probe.agent.connected()).toBe(true));
  });

  test('when the EdgeNode was removed and made again', async () => {
    const host = await startHost();
    await start(host);
    await connected(host);
    host.incarnations.set('a', 'second');
    host.server.enforce();
    await connected(host, 2);
    expect((await certificate()).subjectAltName).toBe('URI:weir://edge/a?of=second');
  });

  test('when what is on disk can not be used', async () => {
    const host = await startHost();
    await mkdir(join(folder, 'edge', 'credential'), { recursive: true });
    await writeFile(files().credential, 'half a fi');
    await writeFile(files().bundle, host.ca);
    await start(host);
    await connected(host);
  });

  test('when it expired while the agent was off', async () => {
    const { trust } = await testTrust({ clock: new FakeClock(Date.now() - 31 * DAY_MS) });
    const { key, csr } = await testRequest();
    const given = await trust.joining.join(
      { token: TOKEN, from: '127.0.0.1' },
      { role: 'edge', node: 'a', csr },
    );
    await trust.stop();
    await writeCredential(join(folder, 'edge', 'credential'), { ...given, key });
    const host = await startHost();
    await start(host);
    await connected(host);
    expect((await certificate()).validToDate.getTime()).toBeGreaterThan(Date.now());
  });
});

test('is renewed at two thirds of its life at the latest, with another key, and the stream stays', async () => {
  const [agents, operators] = [new FakeClock(Date.now()), new FakeClock(Date.now())];
  const host = await startHost({ trust: await testTrust({ clock: operators }) });
  host.publish(published(1, ['video']));
  const probe = await start(host, { clock: agents });
  await connected(host);
  const before = await certificate();
  agents.advance(16 * DAY_MS);
  expect((await certificate()).serialNumber).toBe(before.serialNumber);
  agents.advance(4 * DAY_MS + 3_600_000);
  await eventually(async () => expect((await certificate()).serialNumber).not.toBe(before.serialNumber));
  expect((await certificate()).publicKey.equals(before.publicKey)).toBe(false);
  host.publish(published(2, ['video', 'www']));
  await eventually(() => expect(probe.inForce).toEqual(['video', 'www']));
  expect(connects(host)).toEqual(['connect a 0.0']);
});

test('a rotation of the CA reaches a connected agent in time, and costs it neither stream nor plan', async () => {
  // TLS judges by the time of day: the last month of the rotation ends now.
  const began = Date.now() - OVERLAP_MS + 120_000;
  const [operators, agents] = [new FakeClock(began), new FakeClock(began)];
  const pass = (ms: number) => {
    operators.advance(ms);
    agents.advance(ms);
  };
  const old = await makeAuthority(began + 30_000 + PREPARE_BEFORE_MS - CA_LIFETIME_MS);
  const stores = { ca: memoryStore<CaState>({ signing: old }), tokens: memoryStore<JoinTokenRecord[]>() };
  const host = await startHost({ trust: await testTrust({ clock: operators, stores }) });
  const probe = await start({ ...host, ca: old.certificate }, { clock: agents, random: () => 0 });
  await connected(host);
  const authorities = async () => readBundle(await readFile(files().bundle, 'utf8')).length;
  const plan = async (seq: number) => {
    host.publish(published(seq, [`plan-${seq}`]));
    await eventually(() => expect(host.seen).toContain(`ack a 3.${seq}`));
    expect(probe.inForce).toEqual([`plan-${seq}`]);
  };
  await plan(1);
  expect(await authorities()).toBe(1);

  // The next one is told to agents before anything is signed with it.
  pass(60_000);
  await eventually(() => expect(host.trust.ca.bundle().authorities).toHaveLength(2));
  await eventually(async () => {
    agents.advance(0);
    expect(await authorities()).toBe(2);
  });
  await plan(2);
  expect((await certificate()).verify(new X509Certificate(old.certificate).publicKey)).toBe(true);

  // Two thirds of its life later it renews as ever, and ten days later the next CA signs.
  const before = (await certificate()).serialNumber;
  pass(20 * DAY_MS + 60_000);
  await eventually(async () => expect((await certificate()).serialNumber).not.toBe(before));
  pass(OVERLAP_MS - 20 * DAY_MS - 60_000);
  await eventually(() => expect(host.trust.ca.signer()).not.toBe(old.certificate));
  await plan(3);

  // Who comes now meets a port of the new CA.
  await probe.agent.stop();
  await start(
    { ...host, ca: old.certificate },
    { clock: agents, joinTokenFile: undefined, operatorCa: undefined },
  );
  await connected(host, 2);
  expect(connects(host)).toEqual(['connect a 0.0', 'connect a 3.3']);
});
