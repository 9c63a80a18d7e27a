/**
 * Given certificates in a folder, through the whole operator to agents over real sockets: what is in force, what is
 * refused and why, what each edge is sent, and where a key may be found.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { AgentOptions } from '../../agent/agent.ts';
import { type Probe, probeEdge } from '../../agent/testing/probe-edge.ts';
import type { KindName } from '../../contract/kinds/kind.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import type { ResourcesView } from '../../contract/stream/operator-api.ts';
import { FakeClock } from '../../lib/clock.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { type Operator, startOperator } from '../main.ts';
import { type TestPair, testCa } from '../testing/certificates.ts';
import { domainManifest, manifest, nodeManifest, SETTINGS } from '../testing/manifests.ts';
import { placeOf, unknownTo } from '../testing/trust.ts';

let ca: Awaited<ReturnType<typeof testCa>>;
let base: string;
let clock: FakeClock;
let operator: Operator | undefined;
let probes: Probe[];
let lines: unknown[];
beforeAll(async () => {
  ca = await testCa();
});
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'weir-certificates-'));
  await mkdir(join(base, 'folder', 'tenant'), { recursive: true });
  clock = new FakeClock(Date.parse('2026-11-22T04:00:00Z'));
  probes = [];
  lines = [];
  await write('weir.yaml', SETTINGS);
  await write('a.yaml', nodeManifest('a'));
});
afterEach(async () => {
  await stop();
  await rm(base, { recursive: true });
});

const write = (file: string, text: string) => writeFile(join(base, 'folder', file), text);
const state = () => stateFolder(join(base, 'state'));
const until = <T>(condition: () => T | Promise<T>) =>
  eventually(async () => {
    clock.advance(100);
    return condition();
  });

async function start(): Promise<void> {
  const counted = countingLog();
  lines = counted.lines;
  operator = await startOperator({
    folder: join(base, 'folder'),
    state: join(base, 'state'),
    listen: { host: '127.0.0.1', port: 0 },
    clock,
    log: counted.log,
  });
}

async function stop(): Promise<void> {
  await Promise.all(probes.splice(0).map(({ agent }) => agent.stop()));
  await operator?.stop();
  operator = undefined;
}

const secretYaml = (name: string, pair: Partial<TestPair>) =>
  `---\n${stringify({ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name }, stringData: pair })}`;
const certificate = (name: string, spec: object) => manifest('Certificate', { name }, spec);
const secured = (name: string, tls: object, more: object = {}) => domainManifest(name, { tls, ...more });

async function resource(kind: KindName, name: string) {
  const place = await placeOf(state(), operator?.address ?? expect.fail('no operator'));
  const { body } = await request(`${place.url}/v1/resources`, {
    dispatcher: unknownTo(place),
    headers: { authorization: `Bearer ${place.token}` },
  });
  const { resources } = (await body.json()) as ResourcesView;
  return (
    resources.find((row) => row.kind === kind && row.metadata.name === name) ??
    expect.fail(`no ${kind} ${name}`)
  );
}
const conditionOf = async (kind: KindName, name: string, type: string) =>
  (await resource(kind, name)).status.conditions?.find((row) => row.type === type);

/** An edge, and the values that it was given, whenever they were others. */
async function edge(node = 'a', changes: Partial<AgentOptions<'edge'>> = {}) {
  const given: Record<string, string>[] = [];
  const place = await placeOf(state(), operator?.address ?? expect.fail('no operator'));
  const folder = join(base, node);
  await mkdir(folder, { recursive: true });
  const onSecrets = (values: ReadonlyMap<string, string>) => void given.push(Object.fromEntries(values));
  const plans: string[] = [];
  const probe = await probeEdge(folder, place, {
    node,
    onSecrets,
    prepare: async ({ plan }) => {
      const tls = plan.domains.flatMap((domain) => domain.tls?.certificates ?? []);
      const held = tls.map(
        ({ secret, digest }) => `${given.at(-1)?.[secret] === undefined ? 'without' : 'with'} ${digest}`,
      );
      return () => void plans.push(held.join());
    },
    ...changes,
  });
  probes.push(probe);
  await probe.agent.load();
  probe.agent.connect();
  return { given, plans, probe, folder };
}

const pair = (names = ['video.example.com'], dates: object = {}) => ca.issue({ names, ...dates });
const chainsOf = (given: Record<string, string>[]) =>
  Object.values(given.at(-1) ?? {}).map((value) =>
    (JSON.parse(value) as { chain: string }).chain.slice(0, 200),
  );
const start200 = ({ 'tls.crt': chain }: TestPair) => chain.slice(0, 200);

test('a Secret beside a Certificate: in force, with its digest in plan and status, and at the edge before the plan', async () => {
  const given = await pair(['video.example.com', '*.example.com']);
  await write('s.yaml', secretYaml('video-tls', given));
  await write(
    'c.yaml',
    certificate('video', { hostnames: ['video.example.com'], secretRef: { name: 'video-tls' } }),
  );
  const tls = {
    certificateRef: { name: 'video' },
    redirect: true,
    hsts: { maxAge: '1d', includeSubDomains: true },
  };
  await write('video.yaml', secured('video', tls));
  await start();
  const agent = await edge();
  await until(async () =>
    expect(await conditionOf('CdnDomain', 'video', 'CertificateReady')).toMatchObject({
      status: 'True',
      reason: 'Issued',
    }),
  );
  await until(() => expect(chainsOf(agent.given)).toEqual([start200(given)]));
  const { status } = await resource('Certificate', 'video');
  expect(status).toMatchObject({ notAfter: '2027-06-01T00:00:00.000Z', digest: expect.any(String) });
  await until(() => expect(agent.plans.at(-1)).toBe(`with ${'digest' in status ? status.digest : ''}`));
  expect(agent.probe.agent.held()?.plan.domains[0]?.tls).toMatchObject({
    redirect: true,
    minVersion: '1.2',
    hsts: 'max-age=86400; includeSubDomains',
  });
  expect(await conditionOf('Certificate', 'video', 'Ready')).toMatchObject({ status: 'True' });
});

test('an ECDSA and an RSA certificate side by side: both at the edge; two of one type say so, and the first is served', async () => {
  const hostnames = ['video.example.com'];
  const [ecdsa, rsa] = [await pair(), await pair(hostnames, { rsa: true })];
  for (const [name, given] of Object.entries({ ecdsa, rsa })) {
    await write(`${name}.yaml`, secretYaml(name, given));
    await write(`c-${name}.yaml`, certificate(name, { hostnames, secretRef: { name } }));
  }
  await write('video.yaml', secured('video', { certificateRefs: [{ name: 'ecdsa' }, { name: 'rsa' }] }));
  await start();
  const agent = await edge();
  const digestOf = async (name: string) => {
    const { status } = await resource('Certificate', name);
    return 'digest' in status ? status.digest : undefined;
  };
  const planned = () =>
    agent.probe.agent.held()?.plan.domains[0]?.tls?.certificates.map(({ digest }) => digest);
  const ready = () => conditionOf('CdnDomain', 'video', 'CertificateReady');
  await until(async () =>
    expect(new Set(planned())).toEqual(new Set([await digestOf('ecdsa'), await digestOf('rsa')])),
  );
  await until(() =>
    expect(new Set(chainsOf(agent.given))).toEqual(new Set([start200(ecdsa), start200(rsa)])),
  );
  await until(async () => expect(await ready()).toMatchObject({ status: 'True' }));
  await write('rsa.yaml', secretYaml('rsa', await pair()));
  await until(async () => expect(await ready()).toMatchObject({ status: 'False', reason: 'SameKeyType' }));
  await until(async () => expect(planned()).toEqual([await digestOf('ecdsa')]));
});

test('files beside the manifest do as well, without a Certificate between', async () => {
  const given = await pair();
  await write('tenant/video-tls.crt', given['tls.crt']);
  await write('tenant/video-tls.key', given['tls.key']);
  await write('tenant/video.yaml', secured('video', { secretRef: { name: 'video-tls' } }));
  await start();
  const agent = await edge();
  await until(() => expect(chainsOf(agent.given)).toEqual([start200(given)]));
});

test.each<[string, () => Promise<Partial<TestPair> | undefined>, string]>([
  ['none at all', async () => undefined, 'SecretNotFound'],
  ['one that has ended', () => pair(undefined, { notAfter: '2026-11-01T00:00:00Z' }), 'Expired'],
  ['one that has not begun', () => pair(undefined, { notBefore: '2027-01-01T00:00:00Z' }), 'NotYetValid'],
  ['one for other names', () => pair(['www.example.com']), 'HostnameMismatch'],
  [
    'one whose key is another’s',
    async () => ({ ...(await pair()), 'tls.key': (await pair())['tls.key'] }),
    'KeyMismatch',
  ],
  ['no PEM', async () => ({ 'tls.crt': 'x', 'tls.key': 'y' }), 'CertificateInvalid'],
])(
  '%s: refused with the reason, and the last good one stays, also for an edge that comes new',
  async (_, bad, reason) => {
    const first = await pair();
    await write('s.yaml', secretYaml('video-tls', first));
    await write(
      'c.yaml',
      certificate('video', { hostnames: ['video.example.com'], secretRef: { name: 'video-tls' } }),
    );
    await write('video.yaml', secured('video', { certificateRef: { name: 'video' } }));
    await start();
    const agent = await edge();
    await until(() => expect(chainsOf(agent.given)).toEqual([start200(first)]));
    const { status } = await until(() => resource('Certificate', 'video'));
    const next = await bad();
    if (next) await write('s.yaml', secretYaml('video-tls', next));
    else await rm(join(base, 'folder', 's.yaml'));
    const refused = {
      status: 'False',
      reason,
      message: expect.stringContaining('the last good certificate stays in force'),
    };
    await until(async () =>
      expect(await conditionOf('CdnDomain', 'video', 'CertificateReady')).toMatchObject(refused),
    );
    expect(await conditionOf('Certificate', 'video', 'Issued')).toMatchObject(refused);
    expect((await resource('Certificate', 'video')).status).toMatchObject({
      digest: 'digest' in status ? status.digest : '',
    });
    await stop();
    await start();
    const fresh = await edge('a', { folder: join(base, 'fresh') });
    await until(() => expect(chainsOf(fresh.given)).toEqual([start200(first)]));
    const third = await pair();
    await write('s.yaml', secretYaml('video-tls', third));
    await until(() => expect(chainsOf(fresh.given)).toEqual([start200(third)]));
  },
);

test('a certificate that covers an alias no more is refused; a domain that it never covered is not served with it', async () => {
  const first = await pair(['video.example.com', 'v2.example.com']);
  await write('s.yaml', secretYaml('video-tls', first));
  const tls = { secretRef: { name: 'video-tls' } };
  await write('video.yaml', secured('video', tls, { aliases: ['v2.example.com'] }));
  await write('www.yaml', secured('www', tls));
  await start();
  const agent = await edge();
  await until(() => expect(chainsOf(agent.given)).toEqual([start200(first)]));
  await until(async () =>
    expect(await conditionOf('CdnDomain', 'www', 'CertificateReady')).toMatchObject({
      reason: 'HostnameMismatch',
    }),
  );
  await write('s.yaml', secretYaml('video-tls', await pair(['video.example.com'])));
  await until(async () =>
    expect(await conditionOf('CdnDomain', 'video', 'CertificateReady')).toMatchObject({
      reason: 'HostnameMismatch',
    }),
  );
  expect(chainsOf(agent.given)).toEqual([start200(first)]);
});

test('an edge has the certificates of its own domains, and no others', async () => {
  await write(
    'a.yaml',
    manifest('EdgeNode', { name: 'a', labels: { pool: 'a' } }, NODE) +
      manifest('EdgeNode', { name: 'b', labels: { pool: 'b' } }, { ...NODE, addresses: ['192.0.2.11'] }),
  );
  const pairs = [await pair(['one.example.com']), await pair(['two.example.com'])] as const;
  await write('s.yaml', secretYaml('one-tls', pairs[0]) + secretYaml('two-tls', pairs[1]));
  const of = (pool: string) => ({ routing: { nodes: { matchLabels: { pool } } } });
  await write(
    'd.yaml',
    secured('one', { secretRef: { name: 'one-tls' } }, of('a')) +
      secured('two', { secretRef: { name: 'two-tls' } }, of('b')),
  );
  await start();
  const [a, b] = [await edge('a'), await edge('b')];
  await until(() =>
    expect([chainsOf(a.given), chainsOf(b.given)]).toEqual([[start200(pairs[0])], [start200(pairs[1])]]),
  );
  await until(() => expect([a.plans.length, b.plans.length]).not.toContain(0));
  // Chosen for both now: each keeps what it has, and gets the other.
  await write(
    'd.yaml',
    secured('one', { secretRef: { name: 'one-tls' } }) +
      secured('two', { secretRef: { name: 'two-tls' } }, of('b')),
  );
  await until(() => expect(new Set(chainsOf(b.given))).toEqual(new Set(pairs.map(start200))));
  expect(chainsOf(a.given)).toEqual([start200(pairs[0])]);
});

test('an edge that comes back with what it had is sent nothing, and one that was away the value that changed', async () => {
  const pairs = [await pair(['one.example.com']), await pair(['two.example.com'])] as const;
  await write('s.yaml', secretYaml('one-tls', pairs[0]) + secretYaml('two-tls', pairs[1]));
  await write(
    'd.yaml',
    secured('one', { secretRef: { name: 'one-tls' } }) + secured('two', { secretRef: { name: 'two-tls' } }),
  );
  await start();
  const first = await edge('a');
  await until(() => expect(chainsOf(first.given)).toHaveLength(2));
  await first.probe.agent.stop();
  probes.splice(0);
  const again = await edge('a');
  await until(() => expect(again.probe.agent.connected()).toBe(true));
  // Loaded from disk; nothing came over the stream.
  expect(again.given).toHaveLength(1);
  const next = await pair(['one.example.com']);
  await write('s.yaml', secretYaml('one-tls', next) + secretYaml('two-tls', pairs[1]));
  await until(() => expect(new Set(chainsOf(again.given))).toEqual(new Set([next, pairs[1]].map(start200))));
  expect(again.given).toHaveLength(2);
});

test('keys lie where they have to, for their owner alone, and nowhere else: no log, plan, status or answer has them', async () => {
  const given = await pair();
  await write('tenant/video-tls.crt', given['tls.crt']);
  await write('tenant/video-tls.key', given['tls.key']);
  await write('tenant/video.yaml', secured('video', { secretRef: { name: 'video-tls' } }));
  await start();
  const agent = await edge();
  await until(() => expect(agent.plans.at(-1)).toMatch(/^with /));
  const key = given['tls.key'].split('\n')[1] ?? '';
  const where = await filesWith(base, key);
  expect(where.map(({ path }) => path.replace(/[^/]+$/, '')).sort()).toEqual([
    'a/edge/secrets/',
    'folder/tenant/',
    'state/vault/',
  ]);
  for (const { path, mode } of where)
    if (!path.startsWith('folder/')) expect([path, mode]).toEqual([path, 0o600]);
  expect(lines.length).toBeGreaterThan(3);
  expect(JSON.stringify(lines)).not.toContain(key);
  expect(JSON.stringify(await resource('CdnDomain', 'video'))).not.toContain(key);
});

const NODE = { addresses: ['192.0.2.10'], region: 'us-west' };

async function filesWith(root: string, text: string): Promise<{ path: string; mode: number }[]> {
  const names = await readdir(root, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found: { path: string; mode: number }[] = [];
  for (const path of files) {
    if (!(await readFile(path, 'latin1')).includes(text)) continue;
    found.push({ path: path.slice(root.length + 1), mode: (await stat(path)).mode & 0o777 });
  }
  return found;
}
