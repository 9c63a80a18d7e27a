/** The whole operator over a real folder and real sockets, with agents that the test plays: restarts, losses, purges. */
import { readFileSync } from 'node:fs';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { stateFolder } from '../contract/state-folder.ts';
import type { ResourcesView, ResourceView } from '../contract/stream/operator-api.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { startOperator } from './main.ts';
import { FakeAgent } from './testing/fake-agent.ts';
import { domainManifest, jobManifest, nodeManifest, SETTINGS } from './testing/manifests.ts';
import { unknownTo } from './testing/trust.ts';

let base: string;
let clock: FakeClock;
let operator: Awaited<ReturnType<typeof startOperator>> | undefined;
let agents: FakeAgent[];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'weir-operator-'));
  await mkdir(join(base, 'folder'));
  clock = new FakeClock(Date.parse('2026-11-22T04:00:00Z'));
  agents = [];
  await write('weir.yaml', SETTINGS);
  await write('nodes.yaml', nodeManifest('a'));
  await write('video.yaml', domainManifest('video'));
});
afterEach(async () => {
  await stopAll();
  await rm(base, { recursive: true });
});

const state = () => stateFolder(join(base, 'state'));
const write = (file: string, text: string) => writeFile(join(base, 'folder', file), text);
const token = () => readFileSync(state().token, 'utf8').trim();
const url = () => `https://127.0.0.1:${operator?.address.port}`;
const place = () => ({ url: url(), ca: readFileSync(state().bundle, 'utf8'), token: token() });

async function startAgain(): Promise<void> {
  operator = await startOperator({
    folder: join(base, 'folder'),
    state: join(base, 'state'),
    listen: { host: '127.0.0.1', port: 0 },
    clock,
    log: silentLog,
  });
}

async function stopAll(): Promise<void> {
  await Promise.all(agents.splice(0).map((agent) => agent.stop()));
  await operator?.stop();
  operator = undefined;
}

async function connect(agent: FakeAgent): Promise<FakeAgent> {
  agents.push(agent);
  return agent.connect(place());
}

/** Time passes until it holds: polls of the folder and ticks are the clock's. */
const until = <T>(condition: () => T | Promise<T>) =>
  eventually(async () => {
    clock.advance(100);
    return condition();
  });

async function resource(kind: string, name: string): Promise<ResourceView> {
  const { body } = await request(`${url()}/v1/resources`, {
    dispatcher: unknownTo(place()),
    headers: { authorization: `Bearer ${token()}` },
  });
  const { resources } = (await body.json()) as ResourcesView;
  const found = resources.find((row) => row.kind === kind && row.metadata.name === name);
  return found ?? expect.fail(`${kind} ${name} is not there`);
}

const condition = async (kind: string, name: string, type: string) =>
  (await resource(kind, name)).status.conditions?.find((row) => row.type === type);
const rows = (agent: FakeAgent) => agent.tables.at(-1)?.rows ?? [];

const post = (path: string, body: unknown, dispatcher = unknownTo(place())) =>
  request(`${url()}${path}`, {
    dispatcher,
    method: 'POST',
    headers: { authorization: `Bearer ${token()}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

/** An operator with one edge and one dns-server that know each other. */
async function settled() {
  await startAgain();
  const [edge, dns] = [
    await connect(new FakeAgent('edge', 'a')),
    await connect(new FakeAgent('dns-server', 'dns-1')),
  ];
  await until(() => expect(rows(dns)).toMatchObject([{ node: 'a', admitted: true }]));
  await until(async () =>
    expect(await condition('CdnDomain', 'video', 'Ready')).toMatchObject({ status: 'True' }),
  );
  return { edge, dns };
}

test('makes before it breaks: the edges’ plan, then the row, then the name to point at', async () => {
  await startAgain();
  const edge = new FakeAgent('edge', 'a');
  edge.silent = true;
  await connect(edge);
  const dns = await connect(new FakeAgent('dns-server', 'dns-1'));
  await until(() => expect(dns.plans).toHaveLength(1));
  await until(async () =>
    expect(await condition('CdnDomain', 'video', 'Programmed')).toMatchObject({ reason: 'WaitingForNodes' }),
  );
  expect(rows(dns)).toEqual([]);
  await edge.stop();
  await connect(new FakeAgent('edge', 'a'));
  await until(async () =>
    expect(await condition('CdnDomain', 'video', 'Ready')).toMatchObject({ status: 'True' }),
  );
  expect(await resource('CdnDomain', 'video')).toMatchObject({
    status: { cname: 'video.default.cdn.example.net', since: { epoch: 1, seq: 1 } },
  });
  expect(rows(dns)).toMatchObject([{ node: 'a', acked: { epoch: 1, seq: 1 }, admitted: true }]);
});

describe('a forced state', () => {
  const force = (body: unknown) => post('/v1/force', body);

  test('is in the node table, survives a restart, and ends by itself', async () => {
    const { edge, dns } = await settled();
    const end = clock.now() + 600_000;
    expect((await force({ node: 'a', state: 'Down', until: end })).statusCode).toBe(204);
    await until(() => expect(rows(dns)).toMatchObject([{ forced: { state: 'Down', until: end } }]));
    expect(await condition('EdgeNode', 'a', 'Healthy')).toMatchObject({
      status: 'False',
      reason: 'ForcedDown',
    });
    await stopAll();
    await startAgain();
    const again = await connect(new FakeAgent('dns-server', 'dns-1', dns.memory));
    await connect(new FakeAgent('edge', 'a', edge.memory));
    await until(() => expect(rows(again)).toMatchObject([{ forced: { state: 'Down', until: end } }]));
    clock.advance(600_000);
    await until(() => expect(rows(again)[0]?.forced).toBeUndefined());
    await until(async () => expect((await resource('EdgeNode', 'a')).status).not.toHaveProperty('forced'));
  });

  test('is taken back, and refused for a node that does not exist or a state that is none', async () => {
    const { dns } = await settled();
    await force({ node: 'a', state: 'Up' });
    await until(() => expect(rows(dns)).toMatchObject([{ forced: { state: 'Up' } }]));
    await force({ node: 'a', state: 'Auto' });
    await until(() => expect(rows(dns)[0]).not.toHaveProperty('forced'));
    expect((await force({ node: 'b', state: 'Up' })).statusCode).toBe(404);
    expect((await force({ node: 'a', state: 'Sideways' })).statusCode).toBe(400);
  });
});

test('votes of dns-servers reach all of them, and count while they are fresh', async () => {
  const { dns } = await settled();
  const second = await connect(new FakeAgent('dns-server', 'dns-2'));
  const sees = async (server: FakeAgent, healthy: boolean) => {
    const nodes = [{ node: 'a', addresses: [{ address: '192.0.2.10', healthy, detail: '' }] }];
    await server.say({ type: 'health', nodes });
  };
  await sees(dns, true);
  await sees(second, false);
  for (const agent of [dns, second]) {
    await until(() => expect(agent.tables.at(-1)?.voters).toEqual(['dns-1', 'dns-2']));
    expect(rows(agent)).toMatchObject([{ down: [{ address: '192.0.2.10', by: ['dns-2'] }] }]);
  }
  clock.advance(20_000);
  await sees(dns, true);
  clock.advance(20_000);
  await until(() => expect(dns.tables.at(-1)?.voters).toEqual(['dns-1']));
  expect(rows(dns)[0]).not.toHaveProperty('down');
});

describe('a restarted operator', () => {
  test('goes above its last epoch, and gives every domain the since that it had', async () => {
    const { edge, dns } = await settled();
    await stopAll();
    await startAgain();
    const again = await connect(new FakeAgent('dns-server', 'dns-1', dns.memory));
    await connect(new FakeAgent('edge', 'a', edge.memory));
    await until(() =>
      expect(again.plans.at(-1)).toMatchObject({
        revision: { epoch: 2, seq: 2 },
        digest: dns.plans.at(-1)?.digest,
      }),
    );
    expect(sinces(again)).toEqual([{ epoch: 1, seq: 1 }]);
    for (const table of again.tables) for (const row of table.rows) expect(row.admitted).toBe(true);
  });

  test('keeps the accepted form of a manifest that went bad meanwhile', async () => {
    const { edge } = await settled();
    await stopAll();
    await write('video.yaml', domainManifest('video', { hostnam: 'x' }));
    await startAgain();
    const again = await connect(new FakeAgent('edge', 'a', edge.memory));
    await until(() => expect(again.plans.at(-1)?.digest).toBe(edge.plans.at(-1)?.digest));
    await until(async () =>
      expect(await condition('CdnDomain', 'video', 'Accepted')).toMatchObject({ status: 'False' }),
    );
  });

  test('keeps a Complete job complete, and asks nobody again', async () => {
    const { edge } = await settled();
    await write('job.yaml', jobManifest('all'));
    await until(async () =>
      expect(await condition('PurgeJob', 'all', 'Complete')).toMatchObject({ status: 'True' }),
    );
    const before = await resource('PurgeJob', 'all');
    expect(before.status).toMatchObject({ nodes: { targeted: 1, acked: 1, failed: 0 }, objects: 2 });
    await stopAll();
    await startAgain();
    const again = await connect(new FakeAgent('edge', 'a', edge.memory));
    await until(() => expect(again.plans).not.toEqual([]));
    expect(again.commands).toEqual([]);
    expect(await resource('PurgeJob', 'all')).toEqual(before);
  });

  test('makes a node revalidate that missed a job which was deleted while it was down', async () => {
    const { edge } = await settled();
    await edge.stop();
    await write('job.yaml', jobManifest('all'));
    await until(async () =>
      expect(await condition('PurgeJob', 'all', 'Complete')).toMatchObject({ reason: 'InProgress' }),
    );
    await stopAll();
    await rm(join(base, 'folder', 'job.yaml'));
    await startAgain();
    const again = await connect(new FakeAgent('edge', 'a', edge.memory));
    await until(() => expect(again.commands.map(({ type }) => type)).toEqual(['revalidateAll']));
  });
});

describe('an operator that lost its state folder', () => {
  async function amnesia(): Promise<void> {
    const kept = token();
    await stopAll();
    await rm(join(base, 'state'), { recursive: true });
    await mkdir(join(base, 'state'));
    await writeFile(state().token, kept);
    await startAgain();
  }

  test('goes above what agents hold, and names no node before that node settled with it', async () => {
    const { edge, dns } = await settled();
    await amnesia();
    const again = await connect(new FakeAgent('dns-server', 'dns-1', dns.memory));
    await until(() => expect(again.plans).not.toEqual([]));
    expect([again.epoch, again.plans.at(-1)?.revision.epoch]).toEqual([2, 2]);
    const silent = new FakeAgent('edge', 'a', edge.memory);
    silent.silent = true;
    await connect(silent);
    await until(() => expect(silent.commands.map(({ type }) => type)).toEqual(['revalidateAll']));
    expect(again.tables.flatMap((table) => table.rows)).toEqual([]);
    await silent.stop();
    await connect(new FakeAgent('edge', 'a', edge.memory));
    await until(() =>
      expect(rows(again)).toMatchObject([{ node: 'a', admitted: true, acked: { epoch: 2 } }]),
    );
    expect(again.tables.flatMap((table) => table.rows).every(({ admitted }) => admitted)).toBe(true);
  });

  test('sends its content to an agent that holds another under the same revision', async () => {
    const { edge } = await settled();
    await write('video.yaml', domainManifest('video', { aliases: ['v2.example.com'] }));
    await amnesia();
    const again = await connect(new FakeAgent('edge', 'a', { ...edge.memory, held: { epoch: 1, seq: 1 } }));
    await until(() =>
      expect(again.plans.at(-1)?.plan).toMatchObject({
        domains: [{ hostnames: ['video.example.com', 'v2.example.com'] }],
      }),
    );
  });
});

describe('a purge', () => {
  test('of our own is removed after its time to live; one in the folder stays', async () => {
    await settled();
    const path = state().jobFile('default', 'own');
    await writeFile(path, jobManifest('own', { ttlSecondsAfterFinished: 60 }));
    await write('job.yaml', jobManifest('theirs', { ttlSecondsAfterFinished: 60 }));
    for (const name of ['own', 'theirs']) {
      await until(async () =>
        expect(await condition('PurgeJob', name, 'Complete')).toMatchObject({ status: 'True' }),
      );
    }
    await access(path);
    clock.advance(61_000);
    await until(() => expect(access(path)).rejects.toThrow());
    await until(() => expect(resource('PurgeJob', 'own')).rejects.toThrow());
    expect(await condition('PurgeJob', 'theirs', 'Complete')).toMatchObject({ status: 'True' });
    await expect(
      access(state().statusFile({ kind: 'PurgeJob', namespace: 'default', name: 'own' })),
    ).rejects.toThrow();
  });

  test('is written down before it is told: what the port says lies on disk', async () => {
    await settled();
    await write('job.yaml', jobManifest('all'));
    await until(async () =>
      expect(await condition('PurgeJob', 'all', 'Complete')).toMatchObject({ status: 'True' }),
    );
    const file = state().statusFile({ kind: 'PurgeJob', namespace: 'default', name: 'all' });
    expect(parse(readFileSync(file, 'utf8'))).toMatchObject({
      status: { objects: 2, nodes: { targeted: 1, acked: 1, failed: 0 }, completionTime: expect.any(String) },
    });
  });
});

test('an EdgeNode that goes away and comes back is served anew by a stream of its own', async () => {
  const { edge, dns } = await settled();
  await write('nodes.yaml', '');
  await until(() => expect(dns.plans.at(-1)?.plan).toMatchObject({ nodes: [] }));
  await until(() => expect([edge.connected, dns.connected]).toEqual([false, true]));
  await write('nodes.yaml', nodeManifest('a'));
  await until(() => expect(dns.plans.at(-1)?.plan).toMatchObject({ nodes: [{ name: 'a' }] }));
  const again = await connect(new FakeAgent('edge', 'a', edge.memory));
  await until(() => expect(again.commands.map(({ type }) => type)).toEqual(['revalidateAll']));
  await until(() => expect(rows(dns)).toMatchObject([{ node: 'a', admitted: true }]));
});

function sinces({ plans }: FakeAgent) {
  const plan = plans.at(-1);
  return plan && 'since' in plan ? Object.values(plan.since) : [];
}
