/**
 * Certificates ordered on a real API server, by the rights that the operator really has: from pebble, which asks our own
 * dns-server and edge; `kubectl wait` sees the end of it, and a tenant that grants it gets a Secret.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { edgeSettings } from '../../contract/config/edge-settings.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { type DnsServer, startDnsServer } from '../../dns-server/main.ts';
import { type Edge, startEdge } from '../../edge/main.ts';
import { silentLog } from '../../lib/log.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import { placeOf } from '../../operator/testing/trust.ts';
import { type Pebble, startPebble } from '../acme/pebble.ts';
import { pebbleProgram } from '../acme/pebble-program.ts';
import { startResolver, type TestResolver } from '../acme/resolver.ts';
import { WORLD } from '../dns/serving.ts';
import { type Cluster, startCluster } from './cluster.ts';

const ROOT = join(import.meta.dirname, '../..');
const API_VERSION = 'cdn.weir.dev/v1alpha1';
const ZONE = 'cdn.example.net';
const SOON = { timeout: 60_000, interval: 200 };
const FAST = { baseMs: 500, capMs: 1_000 };

let cluster: Cluster;
let folder: string;
let operator: Operator;
let nameServer: DnsServer;
let edge: Edge;
let pebble: Pebble;
let resolver: TestResolver;
let lines: unknown[];

const documents = (text: string) =>
  parseAllDocuments(text).map((document) => z.record(z.string(), z.unknown()).parse(document.toJS()));
const apply = (...objects: object[]) =>
  cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], objects);
const inDemo = (name: string) => ({ name, namespace: 'demo' });

beforeAll(async () => {
  cluster = await startCluster();
  folder = await mkdtemp(join(tmpdir(), 'weir-cluster-acme-'));
  const [http, dns] = [await freePort(), await freePort()];
  resolver = await startResolver(ZONE, () => dns);
  await apply(...documents(await readFile(join(ROOT, 'examples/kubernetes/rbac.yaml'), 'utf8')));
  await apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } },
    {
      apiVersion: API_VERSION,
      kind: 'EdgeNode',
      metadata: { name: 'a' },
      spec: { addresses: ['127.0.0.1'], ports: { http } },
    },
    ...['one', 'two'].map((name) => ({
      apiVersion: API_VERSION,
      kind: 'CdnDomain',
      metadata: inDemo(name),
      spec: {
        hostname: `${name}.demo.${ZONE}`,
        origins: [{ name: 'main', url: 'http://192.0.2.1' }],
        tls: { certificateRef: { name } },
      },
    })),
  );
  const config = join(folder, 'weir.yaml');
  const zone = {
    name: ZONE,
    nameServers: [{ name: `ns1.${ZONE}`, addresses: ['127.0.0.1'] }],
    soa: { contact: 'hostmaster.example.net' },
  };
  await writeFile(config, stringify({ zones: [zone], dnssec: { resolver: resolver.address } }));
  const state = stateFolder(join(folder, 'state'));
  const counted = countingLog();
  lines = counted.lines;
  operator = await startOperator({
    kubeconfig: await cluster.kubeconfigOf('weir-operator', 'weir-system'),
    config,
    state: state.root,
    listen: { host: '127.0.0.1', port: 0 },
    acme: { nameServerPort: dns, paces: { line: FAST, refusal: FAST, preparation: FAST } },
    log: counted.log,
  });
  const place = await placeOf(state, operator.address);
  const any = { host: '127.0.0.1', port: 0 };
  const access = { operator: place.url, joinTokenFile: state.token, operatorCa: state.bundle };
  const [world, empty] = [join(folder, 'world.mmdb'), join(folder, 'empty.csv')];
  await writeFile(world, WORLD);
  await writeFile(empty, '');
  nameServer = await startDnsServer(
    {
      ...access,
      name: 'dns-1',
      state: state.dnsServer,
      listen: [{ host: '127.0.0.1', port: dns }],
      admin: any,
      workers: 1,
      batch: 'off',
      geoDatabase: [world],
      geoAsn: [empty],
    },
    { log: silentLog },
  );
  edge = await startEdge(
    {
      ...access,
      node: 'a',
      state: state.edge('a'),
      listen: [{ host: '127.0.0.1', port: http }],
      listenTls: [any],
      admin: any,
      drain: 0,
      memory: 2 ** 20,
      disk: 2 ** 20,
      settings: edgeSettings.parse({}),
    },
    { log: silentLog },
  );
  pebble = await startPebble({ folder, dnsServer: resolver.address, httpPort: http });
}, 900_000);
afterAll(async () => {
  await pebble?.stop();
  await edge?.stop();
  await nameServer?.stop();
  await operator?.stop();
  resolver?.stop();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

const certificate = (name: string, acme: object) => ({
  apiVersion: API_VERSION,
  kind: 'Certificate',
  metadata: inDemo(name),
  spec: {
    hostnames: [`${name}.demo.${ZONE}`],
    acme: { server: pebble.directory, caBundle: pebble.ca, ...acme },
  },
});
const isReady = (name: string) =>
  cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=90s', `cdncert/${name}`, '-n', 'demo']);
const read = async (what: string) =>
  JSON.parse(await cluster.kubectl(['get', what, '-n', 'demo', '-o', 'json']));
/** The block of docs/tenancy.md with this name in it, as a tenant would take it from there. */
async function grant(name: string): Promise<void> {
  const page = await readFile(join(ROOT, 'docs/tenancy.md'), 'utf8');
  const blocks = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = '']) => text);
  await apply(...documents(blocks.find((text) => text.includes(`name: ${name}`)) ?? expect.fail(name)));
}

describe.runIf(pebbleProgram)('ordered in a cluster', () => {
  test('HTTP01 and DNS01: Ready for kubectl wait, kept in the vault and in no Secret of the tenant', async () => {
    await apply(certificate('one', {}), certificate('two', { challenge: 'DNS01' }));
    expect(await isReady('one')).toContain('condition met');
    expect(await isReady('two')).toContain('condition met');
    expect((await read('cdncert/two')).status).toMatchObject({ acmeTarget: `two.demo._acme.${ZONE}` });
    const kept = ['get', 'secret', '-n', 'weir-system', '-l', 'cdn.weir.dev/vault=true', '-o', 'name'];
    expect((await cluster.kubectl(kept)).trim().split('\n').length).toBeGreaterThanOrEqual(2);
    expect((await read('secret')).items).toEqual([]);
    expect(JSON.stringify(lines)).not.toContain('PRIVATE KEY');
  }, 240_000);

  test('secretName: the missing right is named; granted, a Secret that the Certificate owns, renewed with it, gone with it', async () => {
    await apply(certificate('one', { secretName: 'one-tls' }));
    await vi.waitFor(async () => {
      const { conditions } = (await read('cdncert/one')).status;
      const ready = conditions.find(({ type }: { type: string }) => type === 'Ready');
      expect(ready).toMatchObject({
        status: 'False',
        reason: 'SecretForbidden',
        message: expect.stringContaining('create and patch secrets with resourceNames [one-tls]'),
      });
    }, SOON);
    await grant('weir-certificate-copies');
    await isReady('one');
    const { metadata } = await read('cdncert/one');
    const secret = await read('secret/one-tls');
    expect(secret).toMatchObject({
      type: 'kubernetes.io/tls',
      metadata: {
        labels: { 'app.kubernetes.io/managed-by': 'weir' },
        ownerReferences: [{ kind: 'Certificate', name: 'one', uid: metadata.uid }],
      },
    });
    expect(Buffer.from(secret.data['tls.key'], 'base64').toString()).toContain('PRIVATE KEY');
    const before = new Date().toISOString();
    await cluster.kubectl(['annotate', 'cdncert/one', `cdn.weir.dev/renew-before=${before}`, '-n', 'demo']);
    await vi.waitFor(
      async () => expect((await read('secret/one-tls')).data['tls.crt']).not.toBe(secret.data['tls.crt']),
      SOON,
    );
    await cluster.kubectl(['delete', 'cdncert/one', '-n', 'demo']);
    // The garbage collector's work.
    await vi.waitFor(async () => expect((await read('secret')).items).toEqual([]), SOON);
  }, 240_000);
});
