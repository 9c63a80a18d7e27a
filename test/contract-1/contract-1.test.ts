/**
 * Version 1 of the contract beside version 2: an agent from before connects to the operator of today, and an agent of
 * today to an operator from before. A failure here means that the two can't be replaced one after the other: give the
 * contract a new version, and say in contract/stream/versions.ts what the peers of the one before get instead.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Probe, probeEdge } from '../../agent/testing/probe-edge.ts';
import { InvalidPlan } from '../../contract/plans/invalid-plan.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import { testCa } from '../../operator/testing/certificates.ts';
import { domainManifest, jobManifest, nodeManifest, SETTINGS } from '../../operator/testing/manifests.ts';
import { placeOf } from '../../operator/testing/trust.ts';
import { OldAgent } from './old-agent.ts';
import { OldOperator } from './old-operator.ts';

let base: string;
const endings: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'weir-contract-'));
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await rm(base, { recursive: true });
});

describe('agents from before, beside one of today', () => {
  let clock: FakeClock;
  let operator: Operator;
  const place = () => placeOf(stateFolder(join(base, 'state')), operator.address);
  const write = (file: string, text: string) => writeFile(join(base, 'folder', file), text);
  const until = <T>(condition: () => T | Promise<T>) =>
    eventually(async () => {
      clock.advance(100);
      return condition();
    });

  async function connectOld(role: 'edge' | 'dns-server', node: string): Promise<OldAgent> {
    const agent = new OldAgent(role, node);
    endings.push(() => agent.stop());
    await until(async () => expect(await agent.connect(await place())).toBe(true));
    return agent;
  }

  beforeEach(async () => {
    clock = new FakeClock(Date.parse('2026-11-22T04:00:00Z'));
    await mkdir(join(base, 'folder'));
    await write('weir.yaml', SETTINGS);
    await write('nodes.yaml', [nodeManifest('a'), nodeManifest('b')].join('---\n'));
    await write('video.yaml', domainManifest('video'));
    operator = await startOperator({
      folder: join(base, 'folder'),
      state: join(base, 'state'),
      listen: { host: '127.0.0.1', port: 0 },
      clock,
      log: silentLog,
    });
    endings.push(() => operator.stop());
  });

  test('get a domain that is served over TLS as they know it, and no key', async () => {
    const edge = await connectOld('edge', 'a');
    const issued = await (await testCa()).issue({ names: ['video.example.com'] });
    for (const ending of ['crt', 'key'] as const) await write(`video-tls.${ending}`, issued[`tls.${ending}`]);
    await write('video.yaml', domainManifest('video', { tls: { secretRef: { name: 'video-tls' } } }));
    const secured = async () => (await readdir(stateFolder(join(base, 'state')).vault)).length;
    await until(async () => expect(await secured()).toBe(1));
    await write('www.yaml', domainManifest('www'));
    await until(() => expect(edge.held?.plan.domains.map(({ name }) => name)).toEqual(['video', 'www']));
    expect(Object.keys(edge.held?.plan.domains[0] ?? {})).not.toContain('tls');
  });

  test('store whole what edges of today store in slices', async () => {
    const edge = await connectOld('edge', 'a');
    await write('video.yaml', domainManifest('video', { cache: { rules: [{ slices: true, ttl: '1h' }] } }));
    await until(() =>
      expect(edge.held?.plan.domains).toMatchObject([{ rules: [{ ttl: { seconds: 3_600 } }] }]),
    );
    expect(edge.faults).toEqual([]);
  });

  test('see whether the port is open where they can not ask by HTTPS', async () => {
    const dns = await connectOld('dns-server', 'dns-1');
    const checked = (healthCheck: object) =>
      nodeManifest('a', { ports: { https: 8443 }, healthCheck: { path: '/healthz', ...healthCheck } });
    await write('nodes.yaml', checked({ protocol: 'HTTPS', hostname: 'video.example.com' }));
    const held = () => (dns.held?.plan as RoutingPlan | undefined)?.nodes.map((node) => node.healthCheck);
    await until(() => expect(held()).toMatchObject([{ protocol: 'TCP', port: 8443, path: '/healthz' }]));
    expect(Object.keys(held()?.[0] ?? {})).not.toContain('tls');
    expect(dns.faults).toEqual([]);
  });

  test('get whole plans and whole tables, and what they say is understood', async () => {
    const [edge, dns] = [await connectOld('edge', 'a'), await connectOld('dns-server', 'dns-1')];
    const { agent, inForce } = await probeEdge(base, await place(), {
      node: 'b',
      onCommand: async () => ({ objects: 0, durationMs: 1 }),
    }).then((probe) => ({
      agent: probe.agent,
      inForce: () => probe.inForce,
    }));
    endings.push(() => agent.stop());
    agent.connect();
    await until(() => expect(inForce()).toEqual(['video']));
    await write('www.yaml', domainManifest('www'));
    await until(() => expect(inForce()).toEqual(['video', 'www']));
    const names = (held: OldAgent['held']) => held?.plan.domains.map(({ name }) => name);
    await until(() => {
      expect([names(edge.held), names(dns.held)]).toEqual([
        ['video', 'www'],
        ['video', 'www'],
      ]);
      expect(edge.held?.digest).toBe(agent.held()?.digest);
    });
    // Both edges' acks reached the operator, and its decision on them the dns-server from before, in whole tables.
    await until(() => {
      const table = dns.messages.findLast(({ type }) => type === 'table');
      expect(table).toMatchObject({ table: { rows: [{ node: 'a' }, { node: 'b' }] } });
      expect(table).toMatchObject({ table: { rows: [{ acked: edge.held?.revision }, {}] } });
    });
    await write('purge.yaml', jobManifest('release'));
    await until(() => expect(edge.messages.map(({ type }) => type)).toContain('command'));
    expect([...edge.messages, ...dns.messages].filter(({ type }) => type === 'hello')).toMatchObject([
      { contract: 1 },
      { contract: 1 },
    ]);
    expect([edge.faults, dns.faults]).toEqual([[], []]);
  });
});

describe('an agent of today, at an operator from before,', () => {
  const domain = (name: string, url = 'http://192.0.2.1') => ({
    uid: `uid-${name}`,
    namespace: 'demo',
    name,
    hostnames: [`${name}.example.com`],
    origin: { name: 'main', url },
    rules: [],
    linger: 600,
  });

  async function start(
    changes: Parameters<typeof probeEdge>[2] = {},
  ): Promise<{ old: OldOperator; probe: Probe }> {
    const old = await new OldOperator().start();
    endings.push(() => old.stop());
    const probe = await probeEdge(base, old.place, changes);
    endings.push(() => probe.agent.stop());
    probe.agent.connect();
    await eventually(() => expect(probe.agent.connected()).toBe(true));
    return { old, probe };
  }

  test('takes whole plans and does commands, and says nothing that is not understood', async () => {
    const { old, probe } = await start({ onCommand: async () => ({ objects: 1, durationMs: 1 }) });
    old.publish(1, { domains: [domain('video')] });
    await eventually(() => expect(probe.inForce).toEqual(['video']));
    old.publish(2, { domains: [domain('video'), domain('www')] });
    await eventually(() => expect(probe.inForce).toEqual(['video', 'www']));
    old.send({ type: 'command', command: { type: 'revalidateAll', uid: 'one' } });
    await eventually(() => expect(old.reports).toContainEqual(expect.objectContaining({ type: 'done' })));
    expect(old.reports.filter(({ type }) => type === 'ack')).toMatchObject([
      { revision: { epoch: 1, seq: 1 } },
      { revision: { epoch: 1, seq: 2 } },
    ]);
    expect(old.refused).toEqual([]);
  });

  test('refuses a plan in words that are understood there', async () => {
    const { old } = await start({
      prepare: async () => {
        throw new InvalidPlan('no', [{ kind: 'CdnDomain', namespace: 'demo', name: 'video' }]);
      },
    });
    old.publish(1, { domains: [domain('video')] });
    await eventually(() => expect(old.reports).toHaveLength(1));
    expect(old.reports).toEqual([
      { type: 'nack', revision: { epoch: 1, seq: 1 }, fault: 'Invalid', message: 'no' },
    ]);
    expect(old.refused).toEqual([]);
  });
});
