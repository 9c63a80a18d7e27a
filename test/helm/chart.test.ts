/** The chart as it is rendered: golden files, and what must hold in each of them. */

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { edgeSettings } from '../../contract/config/edge-settings.ts';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { DnsMetrics } from '../../dns-server/metrics.ts';
import { createMetrics } from '../../edge/metrics.ts';
import { systemClock } from '../../lib/clock.ts';
import { initialState } from '../../operator/decide/state.ts';
import { loadBook } from '../../operator/publish/load-book.ts';
import { operatorMetrics } from '../../operator/publish/metrics.ts';
import { grantedRights, helm, lint, type Manifest, manifest, operatorRights, own, render } from './helm.ts';

const TESTDATA = join(import.meta.dirname, 'testdata');
const ROOT = join(import.meta.dirname, '../..');
/** As a cluster with the Prometheus operator has them. */
const WITH_PROMETHEUS = ['--api-versions', 'monitoring.coreos.com/v1'];
const cases = readdirSync(TESTDATA)
  .filter((name) => name.endsWith('.values.yaml'))
  .map((name) => name.replace('.values.yaml', ''));
const renderCase = (name: string) => render('-f', join(TESTDATA, `${name}.values.yaml`), ...WITH_PROMETHEUS);

test.each(cases)(
  '%s: lint and render',
  async (name) => {
    const values = join(TESTDATA, `${name}.values.yaml`);
    expect(await lint('-f', values)).toContain('0 chart(s) failed');
    const rendered = own(await renderCase(name)).map((document) => stringify(document, { lineWidth: 0 }));
    const path = join(TESTDATA, `${name}.out.yaml`);
    if (process.env.UPDATE_GOLDEN === '1') await writeFile(path, rendered.join('---\n'));
    expect(rendered.join('---\n')).toBe(await readFile(path, 'utf8'));
  },
  60_000,
);

test('the CRDs are those of the repository, and stay when the chart goes unless told otherwise', async () => {
  const crds = (manifests: readonly Manifest[]) =>
    manifests.filter(({ kind }) => kind === 'CustomResourceDefinition');
  const files = readdirSync(join(ROOT, 'crds')).map((name) => readFile(join(ROOT, 'crds', name), 'utf8'));
  const wanted = (await Promise.all(files)).flatMap((text) =>
    parseAllDocuments(text).map((document) => document.toJS()),
  );
  const free = crds(await render('--set', 'crds.keep=false'));
  expect(free).toEqual(wanted);
  const kept = crds(await render());
  expect(kept.map(({ metadata }) => metadata.annotations)).toEqual(
    wanted.map(() => expect.objectContaining({ 'helm.sh/resource-policy': 'keep' })),
  );
  expect(crds(await render('--set', 'crds.enabled=false'))).toEqual([]);
}, 60_000);

test('the README names every CRD where it says how all is removed', async () => {
  const readme = await readFile(join(ROOT, 'helm/weir/README.md'), 'utf8');
  const names = (await render()).filter(({ kind }) => kind === 'CustomResourceDefinition');
  const [, removed = ''] = /kubectl delete crd (.*)/.exec(readme) ?? [];
  expect(removed.split(' ')).toEqual(names.map(({ metadata }) => metadata.name).sort());
}, 60_000);

describe('in every rendering', () => {
  const containersOf = ({ spec }: Manifest) => spec?.template?.spec.containers ?? [];

  /** The options that `--help` of a program lists. */
  async function optionsOf(program: string): Promise<Set<string>> {
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, program), '--help']);
    return new Set([...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option = '']) => option));
  }

  test('programs are given options that they have', async () => {
    for (const program of ['operator', 'dns-server', 'edge']) {
      const options = await optionsOf(`${program}/main.ts`);
      for (const name of cases) {
        const containers = (await renderCase(name)).flatMap(containersOf);
        const given = containers.filter(({ name: own }) => own === program).flatMap(({ args }) => args);
        const flags = given.map((arg) => arg.split('=')[0] ?? '');
        expect(flags.filter((flag) => !options.has(flag))).toEqual([]);
      }
    }
  }, 120_000);

  test('edges are given the parts of weir.yaml that are theirs', async () => {
    const template = await readFile(join(ROOT, 'helm/weir/templates/edge.yaml'), 'utf8');
    const keys = Object.keys(edgeSettings.shape).map((key) => `"${key}"`);
    expect(template).toContain(`pick .Values.config ${keys.join(' ')} `);
    const edge = (await renderCase('all-there-is')).flatMap(containersOf).find(({ name }) => name === 'edge');
    const [, json = ''] = edge?.args.find((arg) => arg.startsWith('--settings'))?.split('=') ?? [];
    expect(edgeSettings.parse(JSON.parse(json))).toMatchObject({ limits: { idleTimeout: '30s' } });
  }, 60_000);

  test('weir.yaml is one that the operator takes', async () => {
    for (const name of cases.filter((each) => each !== 'edges-of-another-cluster')) {
      const map = (await renderCase(name)).find(({ metadata }) => metadata.name === 'weir-config');
      const data = z.object({ 'weir.yaml': z.string() }).parse(map?.data);
      expect(weirConfig.parse(parse(data['weir.yaml']))).toMatchObject({
        trust: { serviceAccounts: { edge: ['weir-system/weir-edge'] } },
        registration: {},
      });
    }
  }, 60_000);

  test('objects are labelled, and names are the release’s', async () => {
    for (const name of cases) {
      for (const { kind, metadata } of own(await renderCase(name))) {
        if (kind === 'ClusterRole' && !metadata.name.startsWith('weir-system-')) continue;
        expect([name, kind, metadata]).toEqual([
          name,
          kind,
          expect.objectContaining({
            labels: expect.objectContaining({
              'app.kubernetes.io/instance': 'weir',
              'app.kubernetes.io/name': 'weir',
            }),
          }),
        ]);
      }
    }
  }, 60_000);

  test('nothing is random: twice the same', async () => {
    expect(await renderCase('all-there-is')).toEqual(await renderCase('all-there-is'));
  }, 60_000);
});

test('the operator of examples/kubernetes has the rights that the chart gives it', async () => {
  const text = await readFile(join(ROOT, 'examples/kubernetes/rbac.yaml'), 'utf8');
  const example = parseAllDocuments(text).map((document) => manifest.parse(document.toJS()));
  expect(grantedRights(example)).toEqual(grantedRights(operatorRights(await render())));
}, 60_000);

describe('metrics that the dashboard and the alerts name', () => {
  /** The names that a program’s metrics have, without the ends of a histogram’s. */
  async function names(registry: Registry): Promise<string[]> {
    return (await registry.getMetricsAsJSON()).map(({ name }) => name);
  }

  test('are ones that the programs have', async () => {
    const operator = new Registry();
    loadBook(operator, systemClock);
    const state = initialState({ nodes: new Map(), jobs: new Map() });
    const certificates = { holdings: new Map() };
    operatorMetrics(operator, {
      state: () => state,
      admission: () => undefined,
      plan: () => undefined,
      certificates,
    });
    const known = new Set([
      ...(await names(operator)),
      ...(await names(createMetrics().registry)),
      ...(await names(new DnsMetrics().registry)),
    ]);
    const files = ['files/dashboard.json', 'files/alerts.yaml'].map((name) =>
      readFile(join(ROOT, 'helm/weir', name), 'utf8'),
    );
    const named = (await Promise.all(files)).flatMap((text) => text.match(/\bweir_[a-z0-9_]+/g) ?? []);
    expect(named.length).toBeGreaterThan(30);
    const missing = named.filter((name) => !known.has(name.replace(/_bucket$/, '')));
    expect(missing).toEqual([]);
  });
});

describe('values that are wrong are refused, and named', () => {
  test.each([
    ['--set', 'edge.netwrok=HostPort', 'netwrok'],
    ['--set', 'edge.network=Host', 'edge/network'],
    ['--set', 'config.defaultRegoin=a', 'defaultRegoin'],
    ['--set', 'config.zones[0].name=Example', 'config/zones/0/name'],
    ['--set', 'dnsServer.kind=StatefulSet', 'go together'],
    ['--set', 'mode=edge', 'join.operator'],
  ])('%s %s', async (flag, value, message) => {
    await expect(render(flag, value)).rejects.toThrow(message);
  });
});

test('the notes name what there is', async () => {
  const chart = join(ROOT, 'helm/weir');
  const notes = await helm('install', 'weir', chart, '-n', 'weir-system', '--dry-run=client');
  expect(notes).toContain('kubectl get service weir-dns-server -n weir-system');
  expect(notes).toContain('kubectl label node NODE weir.dev/edge=true');
}, 60_000);
