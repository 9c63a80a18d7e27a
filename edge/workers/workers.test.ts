/** Several processes on one port and one folder, seen from outside: what was acked is so for whoever answers. */
import { execFileSync } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { domainOf, fetchFrom, type Reply, startTestEdge, type TestEdge } from '../testing/test-edge.ts';

/** New connections: the kernel gives each to one of the workers, so none is left out but once in 2^31. */
const CONNECTIONS = 32;

/** Of one that serves. */
const LONGER_THAN_AN_ANSWER_MS = 11_000;

// They are processes, and write to our output.
process.env.WEIR_LOG_LEVEL = 'silent';

let origin: ScriptOrigin;
let edge: TestEdge;
let version: number;

beforeEach(async () => {
  version = 1;
  origin = await startScriptOrigin((request, response) => {
    const size = request.url?.startsWith('/large') ? 600_000 : 100;
    const body = Buffer.alloc(size, `${request.url} ${version} `);
    response.writeHead(200, { 'cache-control': 'max-age=86400', 'cache-tag': 'all', 'content-length': size });
    response.end(body);
  });
  edge = await startTestEdge({ origin: origin.url, settings: { edge: { workers: 2 } } });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const everywhere = (path: string): Promise<Reply[]> =>
  Promise.all(Array.from({ length: CONNECTIONS }, () => edge.get(path)));

const bodiesOf = (replies: readonly Reply[], length: number) =>
  new Set(replies.map(({ text }) => text.slice(0, length)));

/** Children of this process that are workers. */
function workerPids(): number[] {
  const table = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' });
  return table
    .split('\n')
    .filter((line) => line.includes('edge/workers/worker'))
    .map((line) => Number(line.trim().split(' ')[0]));
}

const purge = (uid: string, target: object, soft = false) =>
  edge.command({ type: 'purge', uid, domain: 'uid-video', target, soft } as Parameters<
    TestEdge['command']
  >[0]);

test('both serve, from one folder; what one fetched is soon a hit in the other', async () => {
  expect(workerPids()).toHaveLength(2);
  await edge.get('/a');
  await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(1));
  const replies = await everywhere('/a');
  expect(replies.every(({ headers }) => /; hit/.test(String(headers['cache-status'])))).toBe(true);
  expect(origin.count('/a')).toBe(1);
  // Their metrics are those of one edge.
  expect(await edge.metric('requests_total', '{domain="demo/video",result="hit"}')).toBe(CONNECTIONS);
  expect(await edge.metric('stored_bytes', '{tier="disk"}')).toBe(100);
});

test('what each of them fetched at the same moment is one object soon', async () => {
  const open: ServerResponse[] = [];
  origin.answer((_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=86400' });
    response.write('body');
    open.push(response);
  });
  const before = everywhere('/at-once');
  await eventually(() => expect(open.length).toBe(2));
  for (const response of open) response.end();
  await before;
  await eventually(async () => {
    const replies = await everywhere('/at-once');
    expect(replies.every(({ headers }) => /; hit/.test(String(headers['cache-status'])))).toBe(true);
    expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(1);
  });
  expect(origin.count('/at-once')).toBe(2);
});

test.each([
  ['a URL', { by: 'urls', urls: ['http://video.example.com/a'] }],
  ['a tag', { by: 'tags', tags: ['all'] }],
  ['everything', { by: 'everything' }],
])('a purge of %s that is acked is one in all of them', async (_name, target) => {
  for (let turn = 0; turn < 5; turn++) {
    await everywhere('/a');
    version++;
    await purge(`p${turn}`, target);
    expect(bodiesOf(await everywhere('/a'), 4)).toEqual(new Set([`/a ${version}`]));
  }
});

test('a soft purge is one in all of them: each asks again', async () => {
  await everywhere('/a');
  version++;
  await purge('soft', { by: 'urls', urls: ['http://video.example.com/a'] }, true);
  expect(bodiesOf(await everywhere('/a'), 4)).toEqual(new Set(['/a 2']));
});

test('what was being fetched when a purge came is not stored by any of them', async () => {
  const open: ServerResponse[] = [];
  origin.answer((_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=86400' });
    response.write('old');
    open.push(response);
  });
  const before = everywhere('/slow');
  await eventually(() => expect(open.length).toBeGreaterThanOrEqual(2));
  // For requests that come late.
  origin.answer((_request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=86400' }).end('new'),
  );
  await purge('p', { by: 'everything' });
  for (const response of open) response.end();
  expect(bodiesOf(await before, 3)).toContain('old');
  expect(bodiesOf(await everywhere('/slow'), 3)).toEqual(new Set(['new']));
});

test('"revalidate all" makes each of them ask', async () => {
  await everywhere('/a');
  version++;
  await edge.command({ type: 'revalidateAll', uid: 'r' });
  expect(bodiesOf(await everywhere('/a'), 4)).toEqual(new Set(['/a 2']));
});

test('a plan that is acked is in force in all of them', async () => {
  const other = {
    ...domainOf(origin.url),
    uid: 'uid-other',
    name: 'other',
    hostnames: ['other.example.com'],
  };
  for (const domains of [[domainOf(origin.url), other], [other]]) {
    await edge.publish(domains);
    const replies = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => edge.get('/a', { host: 'other.example.com' })),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  }
});

test('an unsafe method makes all of them ask again', async () => {
  await everywhere('/a');
  version++;
  await edge.get('/a', { method: 'POST', body: 'x' });
  await eventually(async () => expect(bodiesOf(await everywhere('/a'), 4)).toEqual(new Set(['/a 2'])));
});

test('one that is killed is started again, with the plan and what is stored; what it counted stays', async () => {
  await everywhere('/large');
  await eventually(async () =>
    expect(await edge.metric('stored_objects', '{tier="disk"}')).toBeGreaterThan(0),
  );
  const before = await edge.metric('requests_total', '{domain="demo/video",result="hit"}');
  const [killed = 0, other] = workerPids();
  process.kill(killed, 'SIGKILL');
  await eventually(() => {
    expect(workerPids()).toHaveLength(2);
    expect(workerPids()).not.toContain(killed);
    expect(workerPids()).toContain(other);
  });
  await eventually(async () => {
    const replies = await everywhere('/large');
    expect(bodiesOf(replies, 8)).toEqual(new Set(['/large 1']));
  });
  expect(await edge.metric('requests_total', '{domain="demo/video",result="hit"}')).toBeGreaterThan(before);
});

test('one that takes long to begin is not taken for stuck, whatever it is told meanwhile', async () => {
  const before = workerPids();
  process.kill(before[0] ?? 0, 'SIGKILL');
  const slow = await eventually(() => {
    const [begun] = workerPids().filter((pid) => !before.includes(pid));
    if (begun === undefined) throw new Error('not begun yet');
    return begun;
  });
  process.kill(slow, 'SIGSTOP');
  // Something for the others to hear of.
  await edge.get('/a');
  await wait(LONGER_THAN_AN_ANSWER_MS);
  process.kill(slow, 'SIGCONT');
  await eventually(async () => {
    await everywhere('/a');
    expect(await edge.metric('requests_in_flight')).toBe(0);
  });
  expect(workerPids()).toContain(slow);
}, 60_000);

test('what they stored is there after a restart, also for one process; a second edge on the folder is refused', async () => {
  await Promise.all(Array.from({ length: 40 }, (_, index) => edge.get(`/${index}`)));
  await eventually(async () => expect(await edge.metric('stored_objects', '{tier="disk"}')).toBe(40));
  const state = { state: edge.state, clock: edge.clock };
  await expect(startTestEdge({ origin: origin.url, ...state })).rejects.toThrow(/in use by another edge/);
  const two = { settings: { edge: { workers: 2 } } };
  await expect(startTestEdge({ origin: origin.url, ...state, ...two })).rejects.toThrow(/in use by another/);
  await edge.stop();
  edge = await startTestEdge({ origin: origin.url, ...state });
  for (let index = 0; index < 40; index++) {
    expect((await edge.get(`/${index}`)).headers['cache-status']).toMatch(/; hit/);
  }
});

test('what is confirmed by one is fresh in the other', async () => {
  await everywhere('/a');
  await edge.command({ type: 'revalidateAll', uid: 'r' });
  const asked = origin.count('/a');
  await edge.get('/a');
  await eventually(async () => {
    const before = origin.count('/a');
    await everywhere('/a');
    expect(origin.count('/a')).toBe(before);
  });
  expect(origin.count('/a')).toBeLessThanOrEqual(asked + 4);
});

test('explain-url knows what they have stored', async () => {
  await edge.get('/a');
  await eventually(async () => {
    const url = encodeURIComponent('http://video.example.com/a');
    const { text } = await fetchFrom(edge.edge.admin.port, `/explain?url=${url}`, { host: 'admin' });
    expect(JSON.parse(text)).toMatchObject({ verdict: 'hit', variants: [{ size: 100 }] });
  });
});

test('load reports tell how busy the busiest of them is', async () => {
  await eventually(async () => {
    await Promise.all([everywhere('/large'), everywhere('/a')]);
    edge.clock.advance(10_000);
    const loads = edge.reports.filter(({ type }) => type === 'load');
    expect(loads.at(-1)).toMatchObject({ cpu: expect.any(Number) });
  });
  const [load] = edge.reports.flatMap((report) => (report.type === 'load' ? [report] : [])).slice(-1);
  expect(load?.cpu).toBeGreaterThan(0);
  expect(load?.cpu).toBeLessThanOrEqual(1);
});
