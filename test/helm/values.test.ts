/**
 * Values turned one by one: each that the schema has is given another value, and something comes of it. All of them are
 * rendered by one `helm template`, as charts of a chart, since each run of Helm takes its time.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { chartValues } from '../../scripts/generate/chart/values.ts';
import { type JsonSchema, jsonSchema, withDefaults } from '../../scripts/generate/json-schema.ts';
import { helm } from './helm.ts';

const CHART = join(import.meta.dirname, '../../helm/weir');

type Values = Record<string, unknown>;
type Path = readonly string[];

/** What must be so that a value counts at all; the first that fits. */
const CONTEXTS: readonly (readonly [RegExp, Values])[] = [
  [/^operator\.service\.nodePort/, { operator: { service: { type: 'NodePort' } } }],
  [/^dnsServer\.service\.nodePort/, { dnsServer: { service: { type: 'NodePort' } } }],
  [/^operator\.service/, { operator: { service: { type: 'LoadBalancer' } } }],
  [/^edge\.(service|network)/, { edge: { network: 'LoadBalancer' } }],
  [
    /^dnsServer\.state\.(size|storageClassName)/,
    { dnsServer: { kind: 'StatefulSet', state: { type: 'PersistentVolumeClaim' } } },
  ],
  [/^dnsServer\.probeCa\.key/, { dnsServer: { probeCa: { configMap: 'turned' } } }],
  [/^join/, { mode: 'edge', join: { operator: 'https://weir.example.net:8700', tokenSecret: 'tokens' } }],
  [/^redis/, { redis: { enabled: true } }],
  [/^metrics\.serviceMonitor/, { metrics: { serviceMonitor: { enabled: true } } }],
  [/^metrics\.rules/, { metrics: { rules: { enabled: true } } }],
  [/^metrics\.dashboard/, { metrics: { dashboard: { enabled: true } } }],
  [/^crds/, { crds: { enabled: true } }],
];

/** Where another value is not obvious. */
const OTHERS: Record<string, Values> = {
  mode: { mode: 'edge', join: { operator: 'https://weir.example.net:8700', tokenSecret: 'tokens' } },
  config: { config: { zones: [{ ...zone('cdn.example.org') }] } },
  'dnsServer.kind': { dnsServer: { kind: 'DaemonSet' } },
  'dnsServer.state.type': { dnsServer: { state: { type: 'EmptyDir' } } },
  'edge.service.addresses': { edge: { service: { addresses: ['192.0.2.80'] } } },
  ipFamilies: { ipFamilies: ['IPv6', 'IPv4'] },
  'edge.network': { edge: { network: 'HostNetwork' } },
  'edge.state.type': { edge: { state: { type: 'EmptyDir' } } },
  'networkPolicies.agentsFrom': { networkPolicies: { agentsFrom: ['192.0.2.0/24'] } },
  'networkPolicies.metricsFrom': {
    networkPolicies: { metricsFrom: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
  },
};

function zone(name: string) {
  return {
    name,
    nameServers: [{ name: `ns1.${name}`, addresses: ['192.0.2.53'] }],
    soa: { contact: 'hostmaster.example.net' },
  };
}

const SCHEMA = jsonSchema(chartValues);
const DEFAULTS = withDefaults(SCHEMA, {});
const VALUES = leaves(SCHEMA, []);

/** `config` is weir.yaml, which has tests of its own. */
function leaves({ properties = {} }: JsonSchema, at: Path): Path[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = [...at, name];
    const isTree = field.properties !== undefined && path.join('.') !== 'config' && name !== 'resources';
    return isTree ? leaves(field, path) : [path];
  });
}

const at = (value: unknown, path: Path) =>
  path.reduce<unknown>((inner, key) => Reflect.get(Object(inner), key), value);
const nested = ([key = '', ...rest]: Path, value: unknown): Values => ({
  [key]: rest.length === 0 ? value : nested(rest, value),
});

/** `a` with what `b` says instead. */
function merged(a: Values, b: Values): Values {
  const isTree = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const both = Object.entries(b).map(([key, value]) => {
    const under = a[key];
    return [key, isTree(value) && isTree(under) ? merged(under, value) : value];
  });
  return { ...a, ...Object.fromEntries(both) };
}

/** Another value of the same kind. */
function another(path: Path): Values {
  const name = path.join('.');
  const schema = path.reduce<JsonSchema>((inner, key) => inner.properties?.[key] ?? {}, SCHEMA);
  const value = at(merged(Object(DEFAULTS), contextOf(name)), path);
  return OTHERS[name] ?? nested(path, turned(value, schema.enum ?? [], name));
}

/** Where the kind of a value does not tell what else it may be, by the last word of its name. */
const FORMS: Record<string, unknown> = {
  resources: { requests: { cpu: '3m' } },
  tolerations: [{ key: 'turned', operator: 'Exists' }],
  affinity: { nodeAffinity: {} },
  pullSecrets: [{ name: 'turned' }],
  memory: '3GiB',
  disk: '3GiB',
  size: '3Gi',
  digest: `sha256:${'3'.repeat(64)}`,
  interval: '3s',
  hostPath: '/turned',
  loadBalancerIP: '192.0.2.3',
};

function turned(value: unknown, choices: readonly unknown[], name: string): unknown {
  if (choices.length > 0) return choices.find((choice) => choice !== value);
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value + 1;
  if (name === 'join.operator') return 'https://turned.example.net:8700';
  const form = FORMS[name.split('.').at(-1) ?? ''];
  if (form !== undefined) return form;
  if (Array.isArray(value)) return ['turned'];
  return typeof value === 'object' ? { turned: 'turned' } : 'turned';
}

const contextOf = (name: string): Values => CONTEXTS.find(([pattern]) => pattern.test(name))?.[1] ?? {};

let rendered: Map<string, string>;

beforeAll(async () => {
  const pairs = VALUES.flatMap((path): [string, Values][] => {
    const context = contextOf(path.join('.'));
    return [
      [`before-${path.join('.')}`, context],
      [`after-${path.join('.')}`, merged(context, another(path))],
    ];
  });
  rendered = await renderAll(new Map(pairs));
}, 120_000);

describe('a value that is turned shows', () => {
  test.each(VALUES.map((path) => path.join('.')))('%s', (name) => {
    const [before, after] = [rendered.get(`before-${name}`), rendered.get(`after-${name}`)];
    expect(before).toBeDefined();
    expect(after).not.toBe(before);
  });
});

test('nothing else shows: twice the same values are twice the same text', () => {
  const plain = VALUES.map((path) => path.join('.')).filter(
    (name) => Object.keys(contextOf(name)).length === 0,
  );
  const texts = new Set(plain.map((name) => rendered.get(`before-${name}`)));
  expect(texts.size).toBe(1);
  expect([...texts][0]).toContain('kind: DaemonSet');
});

let folder = '';
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Each under its name, as one text; what differs by the trick alone is taken out. */
async function renderAll(all: ReadonlyMap<string, Values>): Promise<Map<string, string>> {
  folder = await mkdtemp(join(tmpdir(), 'weir-values-'));
  const version = z
    .object({ version: z.string() })
    .parse(parse(await readFile(join(CHART, 'Chart.yaml'), 'utf8'))).version;
  const aliases = new Map([...all.keys()].map((name, index) => [name, `c${index}x`]));
  await mkdir(join(folder, 'charts'));
  await cp(CHART, join(folder, 'charts', 'weir'), { recursive: true });
  const dependencies = [...aliases.values()].map((alias) => ({ name: 'weir', alias, version }));
  await writeFile(
    join(folder, 'Chart.yaml'),
    stringify({ apiVersion: 'v2', name: 'all', version, dependencies }),
  );
  const values = [...all].map(([name, each]) => {
    // CRDs are long; only what is about them has them.
    const crds = /-crds/.test(name) ? {} : { crds: { enabled: false } };
    return [aliases.get(name), merged({ nameOverride: 'weir', ...crds }, each)];
  });
  await writeFile(join(folder, 'values.yaml'), stringify(Object.fromEntries(values)));
  const flags = ['--kube-version', '1.34.0', '--api-versions', 'monitoring.coreos.com/v1'];
  const text = await helm('template', 'weir', folder, '-n', 'weir-system', ...flags);
  const byAlias = Map.groupBy(text.split(/^# Source: all\/charts\//m).slice(1), (part) => part.split('/')[0]);
  return new Map(
    [...aliases].map(([name, alias]) => {
      const parts = byAlias.get(alias) ?? [];
      return [name, parts.map((part) => part.replaceAll(alias, 'weir')).join('')];
    }),
  );
}
