/** docs/tenancy.md, tried: what a tenant may do on a real API server, and that it can harm nobody else. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { runWeir } from '../../cli/testing/run-weir.ts';
import { cdnDomain, EDGES, edgeNode, prepareSystem, purgeJob, type System } from '../system/programs.ts';
import { type Cluster, startCluster } from './cluster.ts';

const ROOT = join(import.meta.dirname, '../..');
const SOON = { timeout: 30_000, interval: 200 };
/** The controller of quotas learns of a new kind within half a minute. */
const LATER = { timeout: 90_000, interval: 500 };

let cluster: Cluster;
let system: System;
let folder: string;
/** weir.yaml as the system test has it, with the rules of the page. */
let config: string;
let quota: Record<string, unknown>[];

const documents = (text: string) =>
  parseAllDocuments(text).map((document) => z.record(z.string(), z.unknown()).parse(document.toJS()));
const inNamespace = (namespace: string, name: string, hostname: string) => {
  const domain = cdnDomain(name, hostname, 80);
  return { ...domain, metadata: { name, namespace } };
};

beforeAll(async () => {
  cluster = await startCluster();
  folder = await mkdtemp(join(tmpdir(), 'weir-tenancy-'));
  config = join(folder, 'weir.yaml');
  const page = await readFile(join(ROOT, 'docs/tenancy.md'), 'utf8');
  const [rules = '', ...manifests] = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(
    ([, text = '']) => text,
  );
  const tenant = documents(manifests.join('---\n'));
  quota = tenant.filter(({ kind }) => kind === 'ResourceQuota');
  system = await prepareSystem({
    source: () => ({ source: 'kubernetes', kubeconfig: cluster.kubeconfig, config }),
  });
  const settings = parse(await readFile(join(system.folder, 'weir.yaml'), 'utf8'));
  await writeFile(config, stringify({ ...settings, ...parse(rules) }));
  const roles = await readFile(join(ROOT, 'helm/weir/files/tenant-roles.yaml'), 'utf8');
  await cluster.kubectl(['create', 'namespace', 'shop']);
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    [
      ...documents(roles),
      ...tenant.filter(({ kind }) => kind !== 'ResourceQuota'),
      ...EDGES.map((edge) => edgeNode(edge, 8080)),
      shopBinding,
    ],
  );
  system.startOperator();
}, 900_000);

afterAll(async () => {
  await system.stop();
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Carol has in `shop` what Alice has in `demo`. */
const shopBinding = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name: 'team', namespace: 'shop' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'carol' }],
};

const canI = async (user: string, ...question: string[]) =>
  (await cluster.try(['auth', 'can-i', ...question, `--as=${user}`])).stdout.trim();
const acceptedOf = async (namespace: string, name: string) => {
  const text = await cluster.kubectl(['get', 'cdn', name, '-n', namespace, '-o', 'json']);
  const { conditions = [] } = JSON.parse(text).status;
  return conditions.find(({ type }: { type: string }) => type === 'Accepted');
};

describe('the roles', () => {
  test.each([
    ['alice', ['create', 'cdndomains', '-n', 'demo'], 'yes'],
    ['alice', ['delete', 'purgejobs', '-n', 'demo'], 'yes'],
    ['alice', ['list', 'cdndomains', '-n', 'demo'], 'yes'],
    ['alice', ['create', 'cdndomains', '-n', 'shop'], 'no'],
    ['alice', ['list', 'cdndomains', '-A'], 'no'],
    ['alice', ['patch', 'cdndomains', '--subresource=status', '-n', 'demo'], 'no'],
    ['alice', ['update', 'purgejobs', '--subresource=status', '-n', 'demo'], 'no'],
    ['alice', ['create', 'controllerrevisions.apps', '-n', 'demo'], 'no'],
    ['alice', ['list', 'edgenodes'], 'yes'],
    ['alice', ['create', 'edgenodes'], 'no'],
    ['bob', ['watch', 'cdndomains', '-n', 'demo'], 'yes'],
    ['bob', ['create', 'purgejobs', '-n', 'demo'], 'no'],
    ['bob', ['list', 'edgenodes'], 'no'],
    ['carol', ['get', 'cdndomains', '-n', 'demo'], 'no'],
  ])(
    '%s may %j: %s',
    async (user, question, answer) => {
      // The controller that joins roles takes a moment.
      await vi.waitFor(async () => expect(await canI(user, ...question)).toMatch(answer), SOON);
    },
    60_000,
  );

  test('forbid what would harm others, whatever the client sends', async () => {
    const status = JSON.stringify({ status: { cname: 'evil.example.net' } });
    await cluster.kubectl(
      ['create', '--as=alice', '-f', '-'],
      [inNamespace('demo', 'video', 'video.example.com')],
    );
    const patch = ['patch', 'cdn', 'video', '-n', 'demo', '--type=merge', '-p', status];
    expect(await cluster.try([...patch, '--subresource=status', '--as=alice'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Forbidden'),
    });
    // A status beside a spec is not looked at.
    await cluster.kubectl([...patch, '--as=alice']);
    const { cname } = JSON.parse(
      await cluster.kubectl(['get', 'cdn', 'video', '-n', 'demo', '-o', 'json']),
    ).status;
    expect(cname).not.toBe('evil.example.net');
    const foreign = { ...edgeNode({ name: 'evil', address: '192.0.2.66', region: 'cn-north' }, 80) };
    const made = await cluster.try(['create', '--as=alice', '-f', '-'], [foreign]);
    expect(made).toMatchObject({ code: 1, stderr: expect.stringContaining('forbidden') });
  }, 60_000);
});

describe('hostnames', () => {
  test('that weir.yaml does not allow a namespace are refused', async () => {
    await cluster.kubectl(
      ['create', '--as=carol', '-f', '-'],
      [inNamespace('shop', 'sly', 'sly.example.com'), inNamespace('shop', 'www', 'www.shop.example')],
    );
    await vi.waitFor(async () => {
      expect(await acceptedOf('shop', 'www')).toMatchObject({ status: 'True' });
      expect(await acceptedOf('shop', 'sly')).toMatchObject({
        status: 'False',
        reason: 'NotAllowed',
        message: expect.stringContaining('weir.yaml allows namespace shop www.shop.example, *.shop.example'),
      });
    }, SOON);
  }, 60_000);

  test('that another namespace has are refused, and both hear of it', async () => {
    await writeFile(config, (await readFile(config, 'utf8')).replace('- shop\n', '- shop\n      - rival\n'));
    await cluster.kubectl(['create', 'namespace', 'rival']);
    await cluster.kubectl(['create', '-f', '-'], [inNamespace('rival', 'www', 'www.shop.example')]);
    await vi.waitFor(async () => {
      expect(await acceptedOf('rival', 'www')).toMatchObject({
        status: 'False',
        reason: 'Conflict',
        message: expect.stringContaining('www.shop.example belongs to CdnDomain shop/www'),
      });
      expect(await acceptedOf('shop', 'www')).toMatchObject({
        status: 'True',
        message: expect.stringContaining('www.shop.example by CdnDomain rival/www'),
      });
    }, SOON);
    const get = (...args: string[]) => runWeir(['get', 'cdn', ...args, '--kubeconfig', cluster.kubeconfig]);
    const { stdout } = await get('-A');
    expect(stdout).toMatch(/rival +www +www\.shop\.example +<none> +False +Conflict/);
    expect((await get('www', '-n', 'shop')).stdout).toContain('www.shop.example by CdnDomain rival/www');
  }, 60_000);
});

test('a purge reaches no domain of another namespace', async () => {
  const job = purgeJob('reach', { everything: true });
  const foreign = purgeJob('url', { urls: ['http://video.example.com/'] });
  await cluster.kubectl(
    ['create', '--as=carol', '-f', '-'],
    [
      { ...job, metadata: { name: 'reach', namespace: 'shop' } },
      {
        ...foreign,
        metadata: { name: 'url', namespace: 'shop' },
        spec: { ...foreign.spec, domainRef: { name: 'www' } },
      },
    ],
  );
  const readyOf = async (name: string) => {
    const { status } = JSON.parse(await cluster.kubectl(['get', 'purge', name, '-n', 'shop', '-o', 'json']));
    return status.conditions?.find(({ type }: { type: string }) => type === 'Failed');
  };
  await vi.waitFor(async () => {
    expect(await readyOf('reach')).toMatchObject({ status: 'True', reason: 'Missing' });
    expect(await readyOf('url')).toMatchObject({ status: 'True', reason: 'Invalid' });
  }, SOON);
}, 60_000);

test('a quota counts domains', async () => {
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], quota);
  await vi.waitFor(async () => {
    const { status } = JSON.parse(
      await cluster.kubectl(['get', 'resourcequota', 'weir', '-n', 'demo', '-o', 'json']),
    );
    expect(status.used).toMatchObject({ 'count/cdndomains.cdn.weir.dev': '1' });
  }, LATER);
  await cluster.kubectl(['create', '--as=alice', '-f', '-'], [inNamespace('demo', 'a', 'a.example.com')]);
  const third = await cluster.try(
    ['create', '--as=alice', '-f', '-'],
    [inNamespace('demo', 'b', 'b.example.com')],
  );
  expect(third).toMatchObject({ code: 1, stderr: expect.stringContaining('exceeded quota') });
}, 120_000);
