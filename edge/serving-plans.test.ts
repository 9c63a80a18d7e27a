import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../lib/clock.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import {
  domainOf,
  fetchFrom,
  startTestEdge,
  type TestEdge,
  type TestEdgeOptions,
} from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge | undefined;

beforeEach(async () => {
  origin = await startScriptOrigin((_request, response) =>
    response.writeHead(200, { 'cache-control': 'max-age=86400' }).end(`answer ${origin.requests.length}`),
  );
});

afterEach(async () => {
  await edge?.stop();
  await edge?.remove();
  edge = undefined;
  await origin.stop();
});

const start = async (options: Partial<TestEdgeOptions> = {}) => {
  edge = await startTestEdge({ origin: origin.url, ...options });
  return edge;
};
const readyz = async ({ edge: { admin } }: TestEdge) =>
  await fetchFrom(admin.port, '/readyz', { host: 'admin' });

test('a host that no domain has: 404 that says which, and what to do', async () => {
  const reply = await (await start()).get('/a', { host: 'Unknown.example.com:80' });
  expect(reply.status).toBe(404);
  expect(reply.text).toMatch(
    /^unknown\.example\.com is not a domain that this CDN serves \(edge zz-1\)\. .*weir get cdn/,
  );
  expect(origin.requests).toHaveLength(0);
});

test('a loop is stopped', async () => {
  const reply = await (await start()).get('/a', { headers: { 'cdn-loop': 'x, WEIR-ZZ-1; a=b' } });
  expect(reply.status).toBe(508);
  expect(reply.text).toMatch(/CDN-Loop/);
  expect(origin.requests).toHaveLength(0);
});

test('health: no while the operator’s first messages are worked off, then yes, on any host', async () => {
  const running = await start();
  const health = async () => await running.get('/.weir/health', { host: 'anything' });
  expect(await health()).toMatchObject({ status: 503 });
  expect((await readyz(running)).text).toMatch(/starting/);
  running.clock.advance(100);
  expect((await health()).status).toBe(503);
  running.clock.advance(400);
  expect(await health()).toMatchObject({ status: 200, text: 'ok\n' });
  expect((await readyz(running)).status).toBe(200);
});

test('health: with no operator in sight, no for ten seconds at most', async () => {
  const running = await start({ connected: false });
  running.clock.advance(9_900);
  expect((await running.get('/.weir/health')).status).toBe(503);
  // It serves meanwhile: who asks already knows this edge.
  expect((await running.get('/a')).status).toBe(200);
  running.clock.advance(200);
  expect((await running.get('/.weir/health')).status).toBe(200);
});

test('health: yes when the operator was there and is gone again', async () => {
  const running = await start();
  running.clock.advance(60);
  running.connected(false);
  expect((await running.get('/.weir/health')).status).toBe(503);
  running.clock.advance(60);
  expect((await running.get('/.weir/health')).status).toBe(200);
});

test('health: no while a command is worked off', async () => {
  const running = await start();
  // Begun, and still in progress when the clock moves.
  const command = running.command({ type: 'revalidateAll', uid: 'r' });
  running.clock.advance(1_000);
  expect(await readyz(running)).toMatchObject({ status: 503 });
  await command;
  running.clock.advance(1_000);
  expect(await readyz(running)).toMatchObject({ status: 200 });
});

test('no plan: 503 everywhere, until one comes', async () => {
  const running = await start({ domains: [] });
  running.clock.advance(60_000);
  expect(await running.get('/.weir/health')).toMatchObject({ status: 503 });
  expect((await readyz(running)).text).toMatch(/no plan yet/);
  expect((await running.get('/a')).status).toBe(503);
  await running.publish([domainOf(origin.url)]);
  running.clock.advance(1_000);
  expect((await running.get('/a')).status).toBe(200);
  expect((await running.get('/.weir/health')).status).toBe(200);
});

test('it starts from disk and serves what it stored, with nobody to ask', async () => {
  const first = await start();
  await first.get('/a');
  await first.stop();
  await origin.stop();
  const again = await start({ state: first.state, clock: first.clock, connected: false });
  const hit = await again.get('/a');
  expect(hit).toMatchObject({ status: 200, text: 'answer 1' });
  expect(hit.headers['cache-status']).toMatch(/hit/);
  expect(await again.metric('plan_revision', '{part="epoch"}')).toBe(1);
  expect(await again.metric('domains')).toBe(1);
});

test('a domain that left the plan is served for its linger, also over a restart; then it and its objects go', async () => {
  let running = await start();
  await running.get('/a');
  await eventually(async () => expect(await running.metric('stored_objects', '{tier="disk"}')).toBe(1));
  await running.publish([]);
  running.clock.advance(300_000);
  expect((await running.get('/a')).headers['cache-status']).toMatch(/hit/);
  await running.stop();
  running = await start({ state: running.state, clock: running.clock });
  expect((await running.get('/a')).headers['cache-status']).toMatch(/hit/);
  running.clock.advance(299_000);
  expect((await running.get('/a')).status).toBe(200);
  running.clock.advance(2_000);
  expect((await running.get('/a')).status).toBe(404);
  expect(await running.metric('stored_objects', '{tier="disk"}')).toBe(0);
  // It does not come back with a restart.
  await running.stop();
  running = await start({ state: running.state, clock: running.clock });
  expect((await running.get('/a')).status).toBe(404);
});

test('a linger that ended while the edge was down has ended', async () => {
  const first = await start();
  await first.publish([]);
  await first.stop();
  const later = await start({ state: first.state, clock: new FakeClock(first.clock.now() + 601_000) });
  expect((await later.get('/a')).status).toBe(404);
});

test('a domain that comes back within its linger stays, with what it had stored', async () => {
  const running = await start();
  await running.get('/a');
  await running.publish([]);
  running.clock.advance(100_000);
  await running.publish([domainOf(origin.url)]);
  running.clock.advance(700_000);
  expect((await running.get('/a')).headers['cache-status']).toMatch(/hit/);
});

test('a hostname that moves to another domain is that domain’s at once', async () => {
  const running = await start();
  await running.get('/a');
  await running.publish([
    domainOf(origin.url, { uid: 'uid-new', name: 'new', hostnames: ['video.example.com'] }),
  ]);
  expect((await running.get('/a')).text).toBe('answer 2');
  // Its other name lingers, with the old objects.
  expect((await running.get('/a', { host: 'v2.example.com' })).text).toBe('answer 1');
});

test('damaged files are put aside and said, and the edge starts', async () => {
  const first = await start();
  await first.get('/a');
  await first.stop();
  await writeFile(join(first.state, 'lingering.json'), '{ torn');
  await writeFile(
    join(first.state, 'cache', 'index.db'),
    'not a database at all, but long enough to be read as one',
  );
  const again = await start({ state: first.state, clock: first.clock });
  expect((await again.get('/a')).text).toBe('answer 2');
  expect((await again.get('/a')).headers['cache-status']).toMatch(/hit/);
});

test('two edges on one folder: the second is refused, and says so', async () => {
  const first = await start();
  await expect(startTestEdge({ origin: origin.url, state: first.state })).rejects.toThrow(
    /cache is in use by another edge: give each edge a --state folder of its own/,
  );
  expect((await first.get('/a')).status).toBe(200);
});

test('a plan that cannot be served changes nothing', async () => {
  const running = await start();
  const before = await readFile(join(running.state, 'plan.json'), 'utf8');
  const broken = domainOf('not a url', { uid: 'uid-2', hostnames: ['b.example.com'] });
  await expect(running.publish([broken])).rejects.toThrow();
  expect(await readFile(join(running.state, 'plan.json'), 'utf8')).toBe(before);
  expect((await running.get('/a')).status).toBe(200);
});
