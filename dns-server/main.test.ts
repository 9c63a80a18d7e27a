import { fork } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RoutingNode } from '../contract/plans/routing-plan.ts';
import { AGENT_FILES } from '../contract/state-folder.ts';
import { REPORTS_PATH, type Report, type Reports } from '../contract/stream/messages.ts';
import { listen } from '../lib/listen.ts';
import { silentLog } from '../lib/log.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { playOperator } from '../operator/testing/play-operator.ts';
import type { BatchMode } from './listen/choose-udp.ts';
import { type DnsServer, startDnsServer } from './main.ts';
import { askTcp, askUdp, decode, framed, lines, queryBytes, scopeIn } from './testing/ask.ts';
import { mmdbOf } from './testing/mmdb.ts';
import { published, readyTable, testNode, testPlan } from './testing/routing-plan.ts';

const VIDEO = 'video.demo.cdn.example.net';
const ANY_PORT = { host: '127.0.0.1', port: 0 };
const INTERVAL_MS = 100;
/** Long enough for a busy machine. */
const TIMEOUT_MS = 500;
const THRESHOLD = 2;

let state: string;
let ends: (() => Promise<unknown>)[];

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'weir-dns-'));
  ends = [() => rm(state, { recursive: true, force: true })];
});

afterEach(async () => {
  for (const end of ends.reverse()) await end();
});

async function serve(server: Server, host: string): Promise<number> {
  const { port } = await listen(server, { host, port: 0 });
  ends.push(async () => {
    server.close();
    server.closeAllConnections();
  });
  return port;
}

/** An edge's serving port, as far as a probe sees it. */
async function startEdge(name: string, region: string, address: string) {
  const edge = { frozen: false, node: testNode(name, region) };
  const server = createServer((_, response) => {
    if (!edge.frozen) response.end();
  });
  const port = await serve(server, address);
  const healthCheck = {
    ...edge.node.healthCheck,
    port,
    intervalMs: INTERVAL_MS,
    timeoutMs: TIMEOUT_MS,
    failureThreshold: THRESHOLD,
  };
  edge.node = { ...edge.node, addresses: [address], healthCheck };
  return edge;
}

async function startEdges() {
  return {
    bj: await startEdge('bj-1', 'cn-north', '127.0.1.1'),
    zz: await startEdge('zz-1', 'cn-central', '127.0.2.1'),
    la: await startEdge('la-1', 'us-west', '127.0.3.1'),
  };
}

function planOf(nodes: RoutingNode[]) {
  const plan = testPlan({ nodes });
  return { published: published(plan), table: readyTable(plan) };
}

async function writeState({ published: held, table }: ReturnType<typeof planOf>): Promise<void> {
  await writeFile(join(state, AGENT_FILES.plan), JSON.stringify(held));
  await writeFile(join(state, AGENT_FILES.table), JSON.stringify(table));
}

/** Enough of the world for these tests; the data that comes along takes seconds to compile. */
const WORLD = mmdbOf({
  '8.0.0.0/9': { country_code: 'US' },
  '61.128.0.0/10': { country_code: 'CN', state1: 'Chongqing' },
  '202.102.0.0/16': { country_code: 'CN', state1: 'Henan' },
  '240e::/20': { country_code: 'CN', state1: 'Beijing' },
});

/** By default nobody is where the operator should be. */
async function startServer(
  { url, ca, token } = { url: 'https://127.0.0.1:1', ca: '', token: '' },
  batch: BatchMode = 'auto',
): Promise<DnsServer> {
  const [joinTokenFile, operatorCa] = [join(state, 'token'), join(state, 'operator-ca.pem')];
  const world = join(state, 'world.mmdb');
  await writeFile(joinTokenFile, token);
  await writeFile(operatorCa, ca);
  await writeFile(world, WORLD);
  const options = {
    name: 'dns-1',
    operator: url,
    joinTokenFile,
    operatorCa,
    state,
    listen: [ANY_PORT],
    admin: ANY_PORT,
    geoDatabase: [world],
    batch,
  };
  const server = await startDnsServer(options, { log: silentLog });
  ends.push(() => server.stop());
  return server;
}

function boundOf({ bound }: Pick<DnsServer, 'bound'>) {
  const [address] = bound;
  if (address === undefined) throw new Error('it listens nowhere');
  return address;
}

async function ask(server: DnsServer, name: string, subnet?: string) {
  const answer = await askUdp(boundOf(server), queryBytes(name, subnet === undefined ? {} : { subnet }));
  if (answer === undefined) throw new Error('no answer');
  return decode(answer);
}

async function admin({ admin: { host, port } }: DnsServer, path: string) {
  const response = await fetch(`http://${host}:${port}${path}`);
  return { status: response.status, body: await response.text() };
}

describe('with a plan on disk and no operator', () => {
  test.each<BatchMode>(['off', 'on'])(
    'answers clients by where they are, over UDP and TCP, and counts, with batches %s',
    async (batch) => {
      const { bj, zz, la } = await startEdges();
      await writeState(planOf([bj.node, zz.node, la.node]));
      const server = await startServer(undefined, batch);
      for (const [subnet, address] of [
        ['202.102.224.0/24', '127.0.2.1'],
        ['61.128.128.0/24', '127.0.2.1'],
        ['240e::/32', '127.0.1.1'],
        ['8.8.8.0/24', '127.0.3.1'],
        ['10.1.3.0/24', '127.0.1.1'],
      ] as const) {
        // The first time it is chosen, then it is prepared.
        await ask(server, VIDEO, subnet);
        const answer = await ask(server, VIDEO, subnet);
        expect([subnet, ...lines(answer.answers)]).toEqual([subnet, `A ${address} 30`]);
        expect(scopeIn(answer)).toBeGreaterThan(0);
      }
      const [overTcp] = await askTcp(
        boundOf(server),
        [framed(queryBytes(VIDEO, { subnet: '8.8.8.0/24' }))],
        1,
      );
      expect(overTcp && lines(decode(overTcp).answers)).toEqual(['A 127.0.3.1 30']);
      const { body } = await admin(server, '/metrics');
      expect(body).toContain('weir_dns_queries_total{transport="udp",type="A",rcode="NOERROR"} 10');
      expect(body).toContain('weir_dns_queries_total{transport="tcp",type="A",rcode="NOERROR"} 1');
      expect(body).toContain(`weir_dns_answers_total{domain="demo/video"} 11`);
      expect(body).toContain('weir_dns_plan_seq 7');
      expect(body).toContain('weir_dns_geo_compilations_total 1');
    },
  );

  test('an edge that freezes leaves the answers within interval x threshold + time-out, and comes back', async () => {
    const { bj, zz, la } = await startEdges();
    await writeState(planOf([bj.node, zz.node, la.node]));
    const server = await startServer();
    const answered = async () => lines((await ask(server, VIDEO, '202.102.224.0/24')).answers);
    expect(await answered()).toEqual(['A 127.0.2.1 30']);
    zz.frozen = true;
    const since = performance.now();
    await vi.waitFor(async () => expect(await answered()).toEqual(['A 127.0.1.1 30']), {
      interval: 5,
      timeout: 5_000,
    });
    // Beside the bound itself: a machine that is busy with other tests.
    expect(performance.now() - since).toBeLessThan(INTERVAL_MS * THRESHOLD + TIMEOUT_MS + 1_500);
    await eventually(async () => {
      const health = JSON.parse(await readFile(join(state, AGENT_FILES.health), 'utf8')) as unknown;
      expect(health).toContainEqual({
        node: 'zz-1',
        addresses: [
          { address: '127.0.2.1', healthy: false, detail: `no answer in ${TIMEOUT_MS} ms`, turnMs: 200 },
        ],
      });
    });
    expect((await admin(server, '/metrics')).body).toContain(
      'weir_dns_address_healthy{node="zz-1",address="127.0.2.1"} 0',
    );
    zz.frozen = false;
    await eventually(async () => expect(await answered()).toEqual(['A 127.0.2.1 30']));
  });

  test('an edge that froze before the start is in no answer from the first', async () => {
    const { bj, zz, la } = await startEdges();
    zz.frozen = true;
    await writeState(planOf([bj.node, zz.node, la.node]));
    const server = await startServer();
    expect(lines((await ask(server, VIDEO, '202.102.224.0/24')).answers)).toEqual(['A 127.0.1.1 30']);
  });

  test('when all edges freeze all are answered, and an alarm is raised until one is back', async () => {
    const edges = await startEdges();
    await writeState(planOf(Object.values(edges).map(({ node }) => node)));
    const server = await startServer();
    const alarm = async () =>
      (await admin(server, '/metrics')).body.includes(`weir_dns_alarm_all_down{domain="demo/video"} 1`);
    expect(await alarm()).toBe(false);
    for (const edge of Object.values(edges)) edge.frozen = true;
    await eventually(async () => expect(await alarm()).toBe(true));
    expect(lines((await ask(server, VIDEO)).answers).sort()).toEqual([
      'A 127.0.1.1 30',
      'A 127.0.2.1 30',
      'A 127.0.3.1 30',
    ]);
    edges.la.frozen = false;
    await eventually(async () => expect(await alarm()).toBe(false));
  });
});

describe('with nothing that it could answer from', () => {
  test('refuses, and says that it is not ready', async () => {
    const server = await startServer();
    expect((await ask(server, VIDEO)).rcode).toBe('REFUSED');
    expect(await admin(server, '/readyz')).toEqual({ status: 503, body: 'no plan yet\n' });
    expect((await admin(server, '/healthz')).status).toBe(200);
  });

  test('a plan file that is broken is as good as none', async () => {
    await writeFile(join(state, AGENT_FILES.plan), '{"revision":');
    const server = await startServer();
    expect((await ask(server, VIDEO)).rcode).toBe('REFUSED');
  });

  test('takes the plan that the operator sends, acks it, tells what it sees, and has it after a restart', async () => {
    const { bj, zz, la } = await startEdges();
    const sent = planOf([bj.node, zz.node, la.node]);
    const reports: Report[] = [];
    const operator = await playOperator((request, response) => {
      if (request.url !== REPORTS_PATH) {
        const messages = [
          { type: 'hello', contract: 1, epoch: 3 },
          { type: 'table', table: sent.table },
          { type: 'plan', published: sent.published },
        ];
        response.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
        return;
      }
      void request.toArray().then((chunks) => {
        reports.push(...(JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) as Reports).reports);
        response.writeHead(204).end();
      });
    });
    ends.push(operator.stop);
    const server = await startServer(operator);
    await vi.waitFor(async () => expect((await admin(server, '/readyz')).status).toBe(200), {
      timeout: 5_000,
    });
    await eventually(() => {
      expect(reports).toContainEqual({ type: 'ack', revision: sent.published.revision });
      const seen = reports.flatMap((report) => (report.type === 'health' ? report.nodes : []));
      expect(seen).toContainEqual({
        node: 'zz-1',
        addresses: [{ address: '127.0.2.1', healthy: true, detail: 'HTTP 200', turnMs: 200 }],
      });
    });
    await server.stop();
    const again = await startServer();
    expect(lines((await ask(again, VIDEO, '202.102.224.0/24')).answers)).toEqual(['A 127.0.2.1 30']);
  });
});

describe('the program', () => {
  const run = () => {
    const args = ['--operator', 'https://127.0.0.1:1', '--state', state];
    const child = fork(
      join(import.meta.dirname, 'main.ts'),
      [...args, '--listen', '127.0.0.1:0', '127.0.0.2:0', '--admin', '127.0.0.1:0'],
      { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
    );
    ends.push(async () => child.kill('SIGKILL'));
    const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
    let output = '';
    child.stdout?.on('data', (chunk) => {
      output += String(chunk);
    });
    return { child, exited, output: () => output };
  };

  test.each<[string, (child: ReturnType<typeof fork>) => void]>([
    ['SIGTERM', (child) => void child.kill('SIGTERM')],
    ['SIGINT', (child) => void child.kill('SIGINT')],
    ['the end of its parent', (child) => child.disconnect()],
  ])(
    'stops cleanly on %s',
    async (_, end) => {
      const { child, exited, output } = run();
      await vi.waitFor(() => expect(output()).toMatch(/"listen":\["127.0.0.1:\d+","127.0.0.2:\d+"\]/), {
        timeout: 15_000,
      });
      end(child);
      expect(await exited).toBe(0);
    },
    20_000,
  );
});
