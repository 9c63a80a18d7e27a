/**
 * Where a private key passes when operators are several: from a Secret of a tenant, by a replica that holds the stream, to
 * the edge that serves the domain. It is looked for in all that else could hold it: what Redis is told and keeps, every
 * object of the API but Secrets, logs, resources and metrics, and the folders of who does not serve the domain.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { Redis } from 'ioredis';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import type { Agent } from '../../agent/agent.ts';
import { createAgent } from '../../agent/create-agent.ts';
import { accessTo, probeEdge } from '../../agent/testing/probe-edge.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import { testCa } from '../../operator/testing/certificates.ts';
import { filesHolding, holds, needlesOf } from '../../operator/testing/key-search.ts';
import { type RedisServer, startRedis } from '../../operator/testing/redis-server.ts';
import { placeOf, unknownTo } from '../../operator/testing/trust.ts';
import { type Cluster, startCluster } from './cluster.ts';

const ROOT = join(import.meta.dirname, '../..');
const SOON = { timeout: 60_000, interval: 100 };
const apiVersion = 'cdn.weir.dev/v1alpha1';

let cluster: Cluster;
let redis: RedisServer;
let folder: string;
const operators: Operator[] = [];
const agents: Pick<Agent<'edge'>, 'stop'>[] = [];
const { log, lines } = countingLog();
log.level = 'trace';

const apply = (...objects: object[]) =>
  cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], objects);
const documents = (text: string) =>
  parseAllDocuments(text).map((document) => z.record(z.string(), z.unknown()).parse(document.toJS()));
const edgeNode = (name: string) => ({
  apiVersion,
  kind: 'EdgeNode',
  metadata: { name, labels: { serves: name } },
  spec: { addresses: ['127.0.0.1'], region: 'us-west' },
});

beforeAll(async () => {
  cluster = await startCluster();
  redis = await startRedis();
  folder = await mkdtemp(join(tmpdir(), 'weir-keys-'));
  await apply(...documents(await readFile(join(ROOT, 'examples/kubernetes/rbac.yaml'), 'utf8')));
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } });
  await apply(...['a', 'b'].map(edgeNode), ...documents(await grant()));
}, 900_000);

afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  for (const operator of operators.toReversed()) await operator.stop();
  await redis.stop();
  await cluster.stop();
  await rm(folder, { recursive: true });
});

/** The block of docs/tenancy.md by which a tenant lets the operator read one Secret. */
async function grant(): Promise<string> {
  const page = await readFile(join(ROOT, 'docs/tenancy.md'), 'utf8');
  return /## Certificates\n.*?^```yaml\n(.*?)^```/ms.exec(page)?.[1] ?? '';
}

async function startReplica(name: string, config: string, kubeconfig: string) {
  const state = join(folder, name);
  const listen = { host: '127.0.0.1', port: 0 };
  const operator = await startOperator({ kubeconfig, config, state, listen, log });
  operators.push(operator);
  return placeOf(stateFolder(state), operator.address);
}

/** All that came to Redis, word by word, as a client of its own sees it. */
async function monitored(): Promise<string[]> {
  const said: string[] = [];
  const client = new Redis(redis.url);
  const monitor = await client.monitor();
  monitor.on('monitor', (_time: string, words: string[]) => said.push(...words));
  agents.push({
    async stop() {
      monitor.disconnect();
      client.disconnect();
    },
  });
  return said;
}

const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** A word as it was before MONITOR made it printable, and before the operator made it small. */
function unpacked(word: string): Buffer {
  const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' };
  const text = word.replace(/\\(x[0-9a-f]{2}|.)/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (escapes[code] ?? code),
  );
  const bytes = Buffer.from(text, 'latin1');
  return bytes.subarray(0, ZSTD.length).equals(ZSTD) ? zstdDecompressSync(bytes) : bytes;
}

/** A snapshot of all that it keeps, in its own format, without compression. */
async function kept(): Promise<Buffer> {
  await redis.cli('CONFIG', 'SET', 'rdbcompression', 'no');
  await redis.cli('SAVE');
  const place = (await redis.cli('CONFIG', 'GET', 'dir')).split('\n').at(-1) ?? '';
  return readFile(join(place, 'dump.rdb'));
}

/** By kind, every object of the API server. */
async function objects(): Promise<Map<string, Buffer>> {
  const kinds = (await cluster.kubectl(['api-resources', '--verbs=list', '-o', 'name'])).trim().split('\n');
  const rows = kinds.map(async (kind) => {
    const args = ['get', kind, '-A', '--show-managed-fields', '-o', 'json', '--ignore-not-found'];
    return [kind, Buffer.from(await cluster.kubectl(args))] as const;
  });
  return new Map(await Promise.all(rows));
}

test('a private key is in Secrets and at the edge that serves its domain, and nowhere else', async () => {
  const commands = await monitored();
  const config = join(folder, 'weir.yaml');
  const example = parse(await readFile(join(ROOT, 'contract/kinds/testdata/example-weir.yaml'), 'utf8'));
  await writeFile(config, stringify({ ...example, redis: { url: redis.url } }));
  const kubeconfig = await cluster.kubeconfigOf('weir-operator', 'weir-system');
  const leader = await startReplica('leader', config, kubeconfig);
  const place = await startReplica('replica', config, kubeconfig);

  const ca = await testCa();
  const pair = await ca.issue({ names: ['video.example.com'], notAfter: '2036-01-01T00:00:00Z' });
  const inDemo = (name: string) => ({ name, namespace: 'demo' });
  const hostnames = ['video.example.com'];
  await apply(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/tls',
      metadata: inDemo('video-tls'),
      stringData: pair,
    },
    {
      apiVersion,
      kind: 'Certificate',
      metadata: inDemo('video'),
      spec: { hostnames, secretRef: { name: 'video-tls' } },
    },
    {
      apiVersion,
      kind: 'CdnDomain',
      metadata: inDemo('video'),
      spec: {
        hostname: 'video.example.com',
        origins: [{ name: 'main', url: 'http://192.0.2.1' }],
        tls: { certificateRef: { name: 'video' } },
        routing: { nodes: { matchLabels: { serves: 'a' } } },
      },
    },
  );

  const given = new Map<string, string[]>();
  for (const node of ['a', 'b']) {
    const onSecrets = (values: ReadonlyMap<string, string>) => void given.set(node, [...values.values()]);
    const { agent } = await probeEdge(folder, place, { node, folder: join(folder, node), onSecrets, log });
    agents.push(agent);
    await agent.load();
    agent.connect();
  }
  const own = join(folder, 'dns');
  const dns = createAgent<'dns-server'>({
    role: 'dns-server',
    node: 'dns-1',
    ...(await accessTo(place, folder)),
    folder: own,
    log,
    prepare: async () => () => {},
  });
  agents.push(dns);
  await dns.load();
  dns.connect();

  const needles = needlesOf(pair['tls.key']);
  await vi.waitFor(() => {
    expect(given.get('a')?.some((value) => holds(Buffer.from(value), needlesOf(pair['tls.key'])))).toBe(true);
    expect(dns.held()?.plan.domains.map(({ name }) => name)).toEqual(['video']);
  }, SOON);
  const ready = ['wait', 'cdn/video', '-n', 'demo', '--for=condition=CertificateReady', '--timeout=60s'];
  await cluster.kubectl(ready);

  const found = await objects();
  expect([...found].flatMap(([kind, bytes]) => (holds(withoutBase64(bytes), needles) ? [kind] : []))).toEqual(
    ['secrets'],
  );
  expect([...found.keys()]).toEqual(
    expect.arrayContaining(['events', 'leases.coordination.k8s.io', 'controllerrevisions.apps']),
  );
  const said = Buffer.concat(commands.map(unpacked));
  // The plan went through Redis, with the certificate's digest in it.
  expect(said.includes('"hostnames":["video.example.com"')).toBe(true);
  expect(said.includes('"secret":"certificate.')).toBe(true);
  expect(holds(said, needles)).toBe(false);
  expect(holds(await kept(), needles)).toBe(false);

  const told = [leader, place].flatMap((operator) =>
    ['/v1/resources', '/metrics'].map(async (path) => {
      const headers = { authorization: `Bearer ${operator.token}` };
      const { body } = await request(operator.url + path, { dispatcher: unknownTo(operator), headers });
      return await body.text();
    }),
  );
  const texts = [...(await Promise.all(told)), JSON.stringify(lines)];
  // The leader tells of resources, both of their metrics, and their log of what is in force.
  for (const known of ['CertificateReady', 'weir_operator_plan_epoch', 'secrets in force'])
    expect(texts.some((text) => text.includes(known))).toBe(true);
  for (const text of texts) expect(holds(Buffer.from(text), needles)).toBe(false);

  expect((await filesHolding(needles, join(folder, 'a'))).map((file) => file.slice(folder.length))).toEqual([
    expect.stringMatching(/^\/a\/secrets\/certificate\./),
  ]);
  for (const below of ['b', 'dns', 'leader', 'replica'])
    expect(await filesHolding(needles, join(folder, below))).toEqual([]);
}, 240_000);

/** As the objects are, and with what is base64 in them read. */
function withoutBase64(bytes: Buffer): Buffer {
  const texts = bytes.toString().match(/[A-Za-z0-9+/]{40,}={0,2}/g) ?? [];
  return Buffer.concat([bytes, ...texts.map((text) => Buffer.from(text, 'base64'))]);
}
