/** The whole operator over a real folder and real sockets: a form that agents refuse, until its owner changes it. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stateFolder } from '../contract/state-folder.ts';
import type { ResourcesView } from '../contract/stream/operator-api.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { type Operator, startOperator } from './main.ts';
import { FakeAgent } from './testing/fake-agent.ts';
import { domainManifest, nodeManifest, SETTINGS } from './testing/manifests.ts';
import { type OperatorPlace, placeOf, unknownTo } from './testing/trust.ts';

let base: string;
let clock: FakeClock;
let operator: Operator;
let place: OperatorPlace;
let agents: FakeAgent[];

const write = (file: string, text: string) => writeFile(join(base, 'folder', file), text);
const until = <T>(condition: () => T | Promise<T>) =>
  eventually(async () => {
    clock.advance(100);
    return condition();
  });

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'weir-quarantine-'));
  await mkdir(join(base, 'folder'));
  clock = new FakeClock(Date.parse('2026-11-22T04:00:00Z'));
  agents = [];
  await write('weir.yaml', SETTINGS);
  await write('nodes.yaml', ['a', 'b', 'c'].map((name) => nodeManifest(name)).join(''));
  await write('video.yaml', domainManifest('video'));
  await write('www.yaml', domainManifest('www'));
  await start();
});
afterEach(async () => {
  await stop();
  await rm(base, { recursive: true });
});

async function start(): Promise<void> {
  const state = join(base, 'state');
  operator = await startOperator({
    folder: join(base, 'folder'),
    state,
    listen: { host: '127.0.0.1', port: 0 },
    clock,
    log: silentLog,
  });
  place = await placeOf(stateFolder(state), operator.address);
}

async function stop(): Promise<void> {
  await Promise.all(agents.splice(0).map((agent) => agent.stop()));
  await operator.stop();
}

async function connect(node: string, role: 'edge' | 'dns-server' = 'edge'): Promise<FakeAgent> {
  const agent = new FakeAgent(role, node);
  agents.push(agent);
  return agent.connect(place);
}

async function get<T>(path: string): Promise<T> {
  const { body } = await request(`${place.url}${path}`, {
    dispatcher: unknownTo(place),
    headers: { authorization: `Bearer ${place.token}` },
  });
  return (await body.json()) as T;
}

async function accepted(name: string) {
  const { resources } = await get<ResourcesView>('/v1/resources');
  const found = resources.find(({ kind, metadata }) => kind === 'CdnDomain' && metadata.name === name);
  return found?.status.conditions?.find(({ type }) => type === 'Accepted');
}

async function metric(name: string): Promise<number> {
  const text = await (await request(`${place.url}/metrics`, { dispatcher: unknownTo(place) })).body.text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

/** The target of each domain's origin in the plan that an agent holds. */
const origins = (agent: FakeAgent | undefined) =>
  Object.fromEntries(
    (agent?.plans.at(-1)?.plan.domains ?? []).map((domain) => [
      domain.name,
      'origin' in domain ? new URL(domain.origin.url).port : '',
    ]),
  );
const origin = (port: number) => ({ origins: [{ name: 'main', url: `http://192.0.2.1:${port}` }] });
/** Refuses whatever has this origin, as an agent does that can't build what it says. */
const refusing = (port: string) => (domains: Parameters<FakeAgent['refuses']>[0]) =>
  domains.find((domain) => 'origin' in domain && new URL(domain.origin.url).port === port);

async function settled(nodes: string[]): Promise<void> {
  for (const node of nodes) await connect(node);
  await until(() => {
    for (const agent of agents) expect(origins(agent)).toEqual({ video: '8800', www: '8800' });
  });
}

test('goes back to what agents took, and others go on; another form is free', async () => {
  await settled(['a', 'b']);
  for (const agent of agents) agent.refuses = refusing('6666');
  await write('video.yaml', domainManifest('video', origin(6666)));
  await until(async () =>
    expect(await accepted('video')).toMatchObject({ status: 'False', reason: 'Quarantined' }),
  );
  expect((await accepted('video'))?.message).toBe(
    'edge a can not take it: no such rule; the last accepted form stays in force',
  );
  expect(await metric('weir_operator_quarantined')).toBe(1);
  await write('www.yaml', domainManifest('www', origin(9000)));
  await until(() => {
    for (const agent of agents) expect(origins(agent)).toEqual({ video: '8800', www: '9000' });
  });
  expect(await accepted('www')).toMatchObject({ status: 'True' });
  await write('video.yaml', domainManifest('video', origin(7777)));
  await until(() => {
    for (const agent of agents) expect(origins(agent)).toEqual({ video: '7777', www: '9000' });
  });
  await until(async () => expect(await accepted('video')).toMatchObject({ status: 'True' }));
  expect(await metric('weir_operator_quarantined')).toBe(0);
});

test('a new resource stays out, and the rest goes on', async () => {
  await settled(['a']);
  for (const agent of agents) agent.refuses = refusing('6666');
  await write('new.yaml', domainManifest('new', origin(6666)));
  await until(async () => expect(await accepted('new')).toMatchObject({ reason: 'Quarantined' }));
  await write('www.yaml', domainManifest('www', origin(9000)));
  await until(() => expect(origins(agents[0])).toEqual({ video: '8800', www: '9000' }));
});

test('a restart keeps it aside: nothing that was refused goes out again', async () => {
  await settled(['a']);
  for (const agent of agents) agent.refuses = refusing('6666');
  await write('video.yaml', domainManifest('video', origin(6666)));
  await until(async () => expect(await accepted('video')).toMatchObject({ reason: 'Quarantined' }));
  await stop();
  await start();
  const agent = await connect('a');
  await until(() => expect(origins(agent)).toEqual({ video: '8800', www: '8800' }));
  expect(await accepted('video')).toMatchObject({ reason: 'Quarantined' });
  expect(agent.plans).toHaveLength(1);
});

test('what others take is one agent’s own fault', async () => {
  await settled(['a', 'b', 'c']);
  const [odd, ...others] = agents;
  if (odd) odd.refuses = refusing('6666');
  await write('video.yaml', domainManifest('video', origin(6666)));
  await until(() => {
    for (const agent of others) expect(origins(agent)).toEqual({ video: '6666', www: '8800' });
  });
  await until(async () => expect(await metric('weir_operator_agents_refusing')).toBe(1));
  // Long after any grace.
  for (let seconds = 0; seconds < 10; seconds++) clock.advance(1_000);
  await until(async () => expect(await accepted('video')).toMatchObject({ status: 'True' }));
  expect(await metric('weir_operator_quarantined')).toBe(0);
  expect(origins(odd)).toEqual({ video: '8800', www: '8800' });
});
