/** An agent's line to the operator: lost and found again, silent, refused; and what waits in the meantime. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { NodeTable } from '../contract/plans/node-table.ts';
import type { Command } from '../contract/stream/messages.ts';
import { listen } from '../lib/listen.ts';
import { silentLog } from '../lib/log.ts';
import { ndjsonLine } from '../lib/ndjson.ts';
import { playOperator } from '../operator/testing/play-operator.ts';
import { type StreamHost, startStreamHost } from '../operator/testing/stream-host.ts';
import { TOKEN } from '../operator/testing/trust.ts';
import { createAgent } from './create-agent.ts';
import { readHeldTable } from './held-files.ts';
import { accessTo, type Operator, type Probe, probeEdge, published } from './testing/probe-edge.ts';

let folder: string;
const endings: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-agent-'));
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await rm(folder, { recursive: true });
});

async function startHost(port = 0): Promise<StreamHost> {
  const host = await startStreamHost({ port });
  endings.push(() => host.stop());
  return host;
}

async function start(operator: Operator, changes: Parameters<typeof probeEdge>[2] = {}): Promise<Probe> {
  const probe = await probeEdge(folder, operator, changes);
  endings.push(() => probe.agent.stop());
  await probe.agent.load();
  probe.agent.connect();
  return probe;
}

const within = { timeout: 8_000, interval: 10 };
const has = (host: StreamHost, line: string) => vi.waitFor(() => expect(host.seen).toContain(line), within);

/** An operator of the test's own: what it answers to each path. */
async function fakeOperator(answer: RequestListener): Promise<Operator> {
  const operator = await playOperator(answer);
  endings.push(operator.stop);
  return operator;
}

const HELLO = ndjsonLine({ type: 'hello', contract: 1, epoch: 1 });

describe('an agent whose operator went away', () => {
  test('goes on with what it holds, and finds the next one by itself', async () => {
    const first = await startHost();
    first.publish(published(1, ['video']));
    const { agent, inForce } = await start(first).then((probe) => ({
      ...probe,
      inForce: () => probe.inForce,
    }));
    await has(first, 'ack a 3.1');
    await first.stop();
    await vi.waitFor(() => expect(agent.connected()).toBe(false), within);
    expect(inForce()).toEqual(['video']);
    const second = await startHost(first.port);
    await has(second, 'connect a 3.1');
    await vi.waitFor(() => expect(agent.connected()).toBe(true), within);
  });

  test('tells what it did in the meantime before its stream opens', async () => {
    const first = await startHost();
    const { agent } = await start(first);
    await has(first, 'connect a 0.0');
    await first.stop();
    await vi.waitFor(() => expect(agent.connected()).toBe(false), within);
    agent.report({ type: 'done', uid: 'one', objects: 1, durationMs: 1 });
    agent.report({ type: 'done', uid: 'two', objects: 2, durationMs: 1 });
    const second = await startHost(first.port);
    await has(second, 'connect a 0.0');
    expect(second.seen).toEqual(['done a', 'done a', 'connect a 0.0']);
    expect(second.reports.map((report) => 'uid' in report && report.uid)).toEqual(['one', 'two']);
  });

  test('waits for a token that is not there yet', async () => {
    const host = await startHost();
    const joinTokenFile = join(folder, 'later');
    await start(host, { joinTokenFile });
    await writeFile(joinTokenFile, TOKEN);
    await has(host, 'connect a 0.0');
  });
});

describe('an agent that is sent to the leader', () => {
  /** A replica that stands by. */
  const replica = async (leader: () => string) =>
    fakeOperator((request, response) => {
      asked += 1;
      request.resume();
      response
        .writeHead(307, { location: `${leader()}${request.url}`, connection: 'close' })
        .end('standing by\n');
    });
  let asked = 0;
  beforeEach(() => {
    asked = 0;
  });

  test('goes there with its reports too, and when nobody answers there asks where it was told to ask', async () => {
    const hosts = [await startHost(), await startHost()] as const;
    let leader = hosts[0];
    const { agent } = await start(await replica(() => leader.url));
    await has(hosts[0], 'connect a 0.0');
    agent.report({ type: 'done', uid: 'one', objects: 1, durationMs: 1 });
    await has(hosts[0], 'done a');
    expect(asked).toBe(1);
    await hosts[0].stop();
    await vi.waitFor(() => expect(asked).toBeGreaterThan(1), within);
    leader = hosts[1];
    await has(hosts[1], 'connect a 0.0');
    expect(hosts[1].reports).toEqual([]);
  });

  test('stays with one address for all replicas where the leader’s own is none for it', async () => {
    const host = await startHost();
    // Each connection comes to another replica, as behind a Service.
    const { port } = new URL((await replica(() => 'https://127.0.0.1:1')).url);
    let connections = 0;
    const service = createTcpServer((client) => {
      connections += 1;
      const there = connect(connections % 3 === 0 ? host.port : Number(port), '127.0.0.1');
      client.pipe(there).pipe(client);
      for (const socket of [client, there]) socket.on('error', () => client.destroy());
    });
    const at = await listen(service, { host: '127.0.0.1', port: 0 });
    endings.push(async () => void service.close());
    const { agent } = await start({ ...host, url: `https://127.0.0.1:${at.port}` });
    await has(host, 'connect a 0.0');
    agent.report({ type: 'done', uid: 'one', objects: 1, durationMs: 1 });
    await has(host, 'done a');
    expect(asked).toBeGreaterThan(1);
    expect(host.seen.filter((line) => line.startsWith('connect'))).toHaveLength(1);
  });

  test('finds one of several replicas that lives', async () => {
    const host = await startHost();
    const lives = await replica(() => host.url);
    await start({ ...lives, url: `https://127.0.0.1:1, https://127.0.0.1:2, ${lives.url}` });
    await has(host, 'connect a 0.0');
  });

  test('does not go in a circle', async () => {
    const there: { url: string } = await replica(() => here.url);
    const here = await replica(() => there.url);
    const host = await startHost();
    await start({ ...host, url: `${here.url},${host.url}` });
    await has(host, 'connect a 0.0');
    expect(asked % 3).toBe(0);
  });
});

test('reports that do not get through make the agent open its stream anew, and arrive', async () => {
  const seen: string[] = [];
  let refusals = 1;
  const operator = await fakeOperator((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const refused = path === '/v1/reports' && refusals-- > 0;
    seen.push(`${path} ${refused ? 500 : 200}`);
    if (path === '/v1/stream') return void response.write(HELLO);
    response.writeHead(refused ? 500 : 204).end();
  });
  const { agent } = await start(operator);
  await vi.waitFor(() => expect(agent.connected()).toBe(true), within);
  agent.report({ type: 'done', uid: 'one', objects: 1, durationMs: 1 });
  await vi.waitFor(() => expect(seen.filter((line) => line === '/v1/stream 200')).toHaveLength(2), within);
  expect(seen).toEqual(['/v1/stream 200', '/v1/reports 500', '/v1/reports 200', '/v1/stream 200']);
});

test('reports that the operator does not understand are given up, and do not keep the agent from connecting', async () => {
  const posts: string[] = [];
  const operator = await fakeOperator((request, response) => {
    if (request.url?.startsWith('/v1/stream')) return void response.write(HELLO);
    request.once('data', (chunk: Buffer) => {
      posts.push(chunk.toString());
      response.writeHead(400).end('an unknown report');
    });
  });
  const probe = await probeEdge(folder, operator);
  endings.push(() => probe.agent.stop());
  probe.agent.report({ type: 'done', uid: 'one', objects: 1, durationMs: 1 });
  probe.agent.connect();
  await vi.waitFor(() => expect(probe.agent.connected()).toBe(true), within);
  expect(posts).toEqual([expect.stringContaining('one')]);
});

describe('a stream', () => {
  test('that falls silent is opened anew', async () => {
    let streams = 0;
    const operator = await fakeOperator((_request, response) => {
      streams += 1;
      response.write(HELLO);
    });
    await start(operator, { silenceMs: 300 });
    await vi.waitFor(() => expect(streams).toBeGreaterThanOrEqual(2), within);
  });

  test('on which heartbeats come is kept', async () => {
    let streams = 0;
    let beats = 0;
    const operator = await fakeOperator((_request, response) => {
      streams += 1;
      response.write(HELLO);
      const beating = setInterval(() => {
        beats += 1;
        response.write(ndjsonLine({ type: 'heartbeat' }));
      }, 100);
      response.on('close', () => clearInterval(beating));
    });
    const { agent } = await start(operator, { silenceMs: 1_000 });
    await vi.waitFor(() => expect(agent.connected()).toBe(true), within);
    // Twice as long as the silence that would end it.
    await vi.waitFor(() => expect(beats).toBeGreaterThan(20), within);
    expect([streams, agent.connected()]).toEqual([1, true]);
  });

  test.each([
    ['begins with something else than hello', ndjsonLine({ type: 'heartbeat' })],
    ['speaks another contract', ndjsonLine({ type: 'hello', contract: 99, epoch: 1 })],
    ['is no JSON', '<html>\n'],
  ])('that %s is left', async (_what, line) => {
    let streams = 0;
    const operator = await fakeOperator((_request, response) => {
      streams += 1;
      response.write(streams === 1 ? line : HELLO);
    });
    const { agent } = await start(operator);
    await vi.waitFor(() => expect([streams, agent.connected()]).toEqual([2, true]), within);
  });
});

describe('commands', () => {
  const command = (uid: string): Command => ({ type: 'revalidateAll', uid });

  test('are applied one at a time, in order, and what came of each is told', async () => {
    const host = await startHost();
    let running = 0;
    const order: string[] = [];
    await start(host, {
      onCommand: async ({ uid }) => {
        running += 1;
        order.push(`${uid} ${running}`);
        await new Promise(setImmediate);
        running -= 1;
        if (uid === 'bad') throw new Error('disk full');
        return { objects: 2, durationMs: 3 };
      },
    });
    await has(host, 'connect a 0.0');
    for (const uid of ['one', 'bad', 'two'])
      host.switchboard.command({ role: 'edge', node: 'a' }, command(uid));
    await vi.waitFor(() => expect(host.reports).toHaveLength(3), within);
    expect(order).toEqual(['one 1', 'bad 1', 'two 1']);
    expect(host.reports).toEqual([
      { type: 'done', uid: 'one', objects: 2, durationMs: 3 },
      { type: 'failed', uid: 'bad', message: 'disk full' },
      { type: 'done', uid: 'two', objects: 2, durationMs: 3 },
    ]);
  });
});

test('a purge does not wait behind a prefetch', async () => {
  const host = await startHost();
  const fetched = Promise.withResolvers<{ objects: number; durationMs: number }>();
  await start(host, {
    onCommand: ({ type }) =>
      type === 'prefetch' ? fetched.promise : Promise.resolve({ objects: 1, durationMs: 0 }),
  });
  await has(host, 'connect a 0.0');
  const prefetch = { domain: 'd', urls: [], concurrency: 1, perSecond: 1 };
  host.switchboard.command({ role: 'edge', node: 'a' }, { type: 'prefetch', uid: 'slow', ...prefetch });
  host.switchboard.command({ role: 'edge', node: 'a' }, { type: 'revalidateAll', uid: 'quick' });
  await vi.waitFor(() => expect(host.reports).toHaveLength(1), within);
  fetched.resolve({ objects: 2, durationMs: 0 });
  await vi.waitFor(() => expect(host.reports).toHaveLength(2), within);
  expect(host.reports.map((report) => 'uid' in report && report.uid)).toEqual(['quick', 'slow']);
});

describe('the node table of a dns-server', () => {
  const row = (node: string, admitted = true) => ({
    node,
    acked: { epoch: 3, seq: 1 },
    admitted,
    reason: 'Admitted',
  });
  const table = (seq: number, rows: NodeTable['rows'], epoch = 3): NodeTable => ({
    version: { epoch, seq },
    rows,
  });

  async function startDns(operator: Operator) {
    const tables: NodeTable[] = [];
    const agent = createAgent<'dns-server'>({
      role: 'dns-server',
      node: 'a',
      ...(await accessTo(operator, folder)),
      folder: join(folder, 'dns'),
      log: silentLog,
      prepare: async () => () => {},
      onTable: (given) => void tables.push(given),
    });
    endings.push(() => agent.stop());
    await agent.load();
    agent.connect();
    await vi.waitFor(() => expect(agent.connected()).toBe(true), within);
    return { agent, tables };
  }

  test('keeps rows that a newer one leaves out, is durable, and does not go back', async () => {
    const host = await startHost();
    const { agent, tables } = await startDns(host);
    const send = (given: NodeTable) => host.switchboard.table(given);
    send(table(2, [row('a'), row('b')]));
    await vi.waitFor(() => expect(agent.table().version.seq).toBe(2), within);
    send(table(3, [row('b', false)]));
    await vi.waitFor(() => expect(agent.table().version.seq).toBe(3), within);
    expect(agent.table().rows).toEqual([row('a'), row('b', false)]);
    expect(await readHeldTable(join(folder, 'dns'), silentLog)).toEqual(agent.table());
    send(table(1, [row('a', false)]));
    send(table(9, [row('a', false)], 2));
    send(table(4, []));
    await vi.waitFor(() => expect(agent.table().version.seq).toBe(4), within);
    expect(agent.table().rows).toEqual([row('a'), row('b', false)]);
    expect(tables.at(-1)).toEqual(agent.table());
  });

  test('takes changed rows after the table that they change, and none in between is lost', async () => {
    const host = await startHost();
    const { agent } = await startDns(host);
    const versions = Array.from({ length: 20 }, (_, index) => index + 1);
    for (const seq of versions) host.switchboard.table(table(seq, [row('all'), row(`n${seq}`)]));
    await vi.waitFor(() => expect(agent.table().version.seq).toBe(20), within);
    const names = versions.map((seq) => `n${seq}`).sort();
    expect(agent.table().rows.map(({ node }) => node)).toEqual(['all', ...names]);
    expect(await readHeldTable(join(folder, 'dns'), silentLog)).toEqual(agent.table());
  });

  test('begins anew where rows come after a table that it never got', async () => {
    let streams = 0;
    const rows = { type: 'rows', base: { epoch: 3, seq: 7 }, table: table(8, [row('a')]) };
    const operator = await fakeOperator((_request, response) => {
      streams += 1;
      response.write(`${HELLO}${streams === 1 ? ndjsonLine(rows) : ''}`);
    });
    const { agent } = await startDns(operator);
    await vi.waitFor(() => expect([streams, agent.connected()]).toEqual([2, true]), within);
    expect(agent.table().rows).toEqual([]);
  });
});
